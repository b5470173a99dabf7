#!/usr/bin/env python3
"""Makes src/kube/schema/kinds.txt: the facts about Kubernetes' built-in kinds that slipway needs.

usage: make-schema.py OPENAPI.json API_REPO APIMACHINERY_REPO > src/kube/schema/kinds.txt

OPENAPI is Kubernetes' own OpenAPI v2 description; the repositories are git directories of kubernetes/api and
kubernetes/apimachinery (only the numbers in their struct tags are read). No descriptions are taken over.

Lines of the result:
  V <version>
  K <group|-> <version> <Kind> <plural> <singular> <N|C> <type> <short,..|-> <category,..|-> <verb,..> <subresource,..|->
  T <type>                    starts a type; its fields follow, one a line:
  <name> <shape> <number> [flags] [L=a|s|m:key,key] [P=key]
shape: s string, i int32, l int64, b bool, n number, y bytes, t time, u microtime, q quantity, x int or string,
  a anything, @<type> an object, [<shape> a list, {<shape> a map. number: in the protobuf form, 0 for none.
flags: o omitted when empty, p pointer, r required, A atomic map, R retainKeys, I fields stand in the parent.
L: list type (atomic, set, map by keys). P: merge key of strategic merge ("P=" merges as a set).
"""
import json
import re
import subprocess
import sys

SERVED = {
    ('', 'v1'), ('apps', 'v1'), ('batch', 'v1'), ('autoscaling', 'v1'), ('autoscaling', 'v2'),
    ('networking.k8s.io', 'v1'), ('policy', 'v1'), ('rbac.authorization.k8s.io', 'v1'), ('coordination.k8s.io', 'v1'),
    ('discovery.k8s.io', 'v1'), ('events.k8s.io', 'v1'), ('storage.k8s.io', 'v1'), ('scheduling.k8s.io', 'v1'),
    ('node.k8s.io', 'v1'), ('apiextensions.k8s.io', 'v1'), ('admissionregistration.k8s.io', 'v1'),
    ('authentication.k8s.io', 'v1'), ('authorization.k8s.io', 'v1'), ('certificates.k8s.io', 'v1')}
NOT_SERVED = {'componentstatuses'}
SHORT = {
    'configmaps': 'cm', 'endpoints': 'ep', 'events': 'ev', 'limitranges': 'limits', 'namespaces': 'ns', 'nodes': 'no',
    'persistentvolumeclaims': 'pvc', 'persistentvolumes': 'pv', 'pods': 'po', 'replicationcontrollers': 'rc',
    'resourcequotas': 'quota', 'serviceaccounts': 'sa', 'services': 'svc', 'daemonsets': 'ds', 'deployments': 'deploy',
    'replicasets': 'rs', 'statefulsets': 'sts', 'horizontalpodautoscalers': 'hpa', 'cronjobs': 'cj',
    'certificatesigningrequests': 'csr', 'ingresses': 'ing', 'networkpolicies': 'netpol', 'poddisruptionbudgets': 'pdb',
    'priorityclasses': 'pc', 'storageclasses': 'sc', 'customresourcedefinitions': 'crd,crds'}
ALL = {'pods', 'replicationcontrollers', 'services', 'daemonsets', 'deployments', 'replicasets', 'statefulsets',
       'horizontalpodautoscalers', 'cronjobs', 'jobs'}
EXTENSIONS = {'customresourcedefinitions', 'validatingwebhookconfigurations', 'mutatingwebhookconfigurations',
              'validatingadmissionpolicies', 'validatingadmissionpolicybindings'}
ANY = {'io.k8s.apimachinery.pkg.runtime.RawExtension', 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1',
       'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON',
       'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool',
       'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray',
       'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray'}
SCALAR = {'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 't', 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'u',
          'io.k8s.apimachinery.pkg.api.resource.Quantity': 'q', 'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'x'}


def short(name):
    return (name.replace('io.k8s.api.', '').replace('io.k8s.apimachinery.pkg.apis.', '')
            .replace('io.k8s.apiextensions-apiserver.pkg.apis.', '').replace('io.k8s.apimachinery.pkg.', ''))


class Go:
    """Struct tags of one repository."""

    def __init__(self, repository):
        self.repository = repository
        self.packages = {}

    def structs(self, package):
        if package not in self.packages:
            run = subprocess.run(['git', '--git-dir', self.repository, 'show', f'HEAD:{package}/types.go'],
                                 capture_output=True, text=True)
            found = {}
            for m in re.finditer(r'^type (\w+) struct \{\n(.*?)^\}', run.stdout, re.M | re.S):
                found[m[1]] = m[2]
            for m in re.finditer(r'^type (\w+) ([\w.]+)$', run.stdout, re.M):
                found.setdefault(m[1], None)
            self.packages[package] = found
        return self.packages[package]

    def fields(self, package, struct):
        body = self.structs(package).get(struct) or ''
        out = []
        for line in body.splitlines():
            m = re.match(r'\s*(?:(\w+)\s+)?(\*?[\w\[\]\.\*]+)\s+`(.*)`', line)
            if not m:
                continue
            json_tag = re.search(r'json:"([^"]*)"', m[3])
            proto = re.search(r'protobuf:"[^,]*,(\d+)', m[3])
            if not json_tag:
                continue
            name, *options = json_tag[1].split(',')
            pointer = m[2].startswith('*')
            out.append((name, int(proto[1]) if proto else 0, 'omitempty' in options, pointer, 'inline' in options,
                        m[2].lstrip('*')))
        return out


def package_of(name):
    m = re.match(r'io\.k8s\.api\.(\w+)\.(\w+)\.(\w+)$', name)
    if m:
        return 'api', f'{m[1]}/{m[2]}', m[3]
    m = re.match(r'io\.k8s\.apimachinery\.pkg\.apis\.(\w+)\.(\w+)\.(\w+)$', name)
    if m:
        return 'machinery', f'pkg/apis/{m[1]}/{m[2]}', m[3]
    return None


class Table:
    def __init__(self, spec, api, machinery):
        self.definitions = spec['definitions']
        self.spec = spec
        self.go = {'api': Go(api), 'machinery': Go(machinery)}
        self.todo, self.done = [], set()

    def shape(self, p):
        if '$ref' in p:
            name = p['$ref'].rsplit('/', 1)[1]
            if name in SCALAR:
                return SCALAR[name]
            d = self.definitions[name]
            if name in ANY or not d.get('properties'):
                if d.get('type') == 'string':
                    return 's'
                if name not in ANY and d.get('type') == 'object' and 'properties' not in d and 'List' not in name:
                    self.want(name)
                    return '@' + short(name)
                return 'a'
            self.want(name)
            return '@' + short(name)
        kind = p.get('type')
        if kind == 'string':
            return {'byte': 'y'}.get(p.get('format'), 's')
        if kind == 'integer':
            return 'l' if p.get('format') == 'int64' else 'i'
        if kind == 'array':
            return '[' + self.shape(p['items'])
        if kind == 'object' and 'additionalProperties' in p:
            return '{' + self.shape(p['additionalProperties'])
        return {'boolean': 'b', 'number': 'n'}.get(kind, 'a')

    def want(self, name):
        if name not in self.done:
            self.done.add(name)
            self.todo.append(name)

    def field(self, name, p, number, flags):
        parts = [name, self.shape(p), str(number)]
        ref = self.definitions.get(p.get('$ref', '/').rsplit('/', 1)[1], {})
        if 'atomic' in (p.get('x-kubernetes-map-type'), ref.get('x-kubernetes-map-type')):
            flags += 'A'
        strategy = p.get('x-kubernetes-patch-strategy', '')
        if 'retainKeys' in strategy:
            flags += 'R'
        if flags:
            parts.append(flags)
        kind = p.get('x-kubernetes-list-type')
        if kind:
            parts.append('L=' + {'atomic': 'a', 'set': 's', 'map': 'm:'}[kind] +
                         (','.join(p.get('x-kubernetes-list-map-keys', [])) if kind == 'map' else ''))
        if 'merge' in strategy:
            parts.append('P=' + p.get('x-kubernetes-patch-merge-key', ''))
        return ' '.join(parts)

    def print_type(self, name, out):
        d = self.definitions[name]
        properties = dict(d.get('properties', {}))
        required = set(d.get('required', []))
        where = package_of(name)
        tags, inlined = {}, []
        if where:
            for tag in self.go[where[0]].fields(where[1], where[2]):
                if tag[4] or not tag[0]:
                    if tag[1]:
                        inlined.append(tag)
                else:
                    tags[tag[0]] = tag
        out.append('T ' + short(name))
        later = []
        for key, p in properties.items():
            tag = tags.get(key)
            flags = ('r' if key in required else '') + (('o' if tag[2] else '') + ('p' if tag[3] else '') if tag else '')
            out.append(self.field(key, p, tag[1] if tag else 0, flags))
        for tag in inlined:
            self.embedded(short(name), where, tag, properties, out, later)
        while later:
            pseudo, rows = later.pop(0)
            out.append('T ' + pseudo)
            out.extend(rows)

    def embedded(self, owner, where, tag, properties, out, later):
        """An embedded struct is a message of its own in protobuf; its fields stand in its owner's JSON."""
        struct = tag[5].split('.')[-1]
        package = where if '.' not in tag[5] else ('api', 'core/v1', struct)
        rows, pseudo = [], f'{owner}+{struct}'
        for inner in self.go[package[0]].fields(package[1], struct):
            if (inner[4] or not inner[0]) and inner[1]:
                self.embedded(pseudo, package, inner, properties, rows, later)
            elif inner[0] in properties and inner[1]:
                flags = ('o' if inner[2] else '') + ('p' if inner[3] else '')
                rows.append(self.field(inner[0], properties[inner[0]], inner[1], flags))
        if rows:
            out.append(f'{struct} @{pseudo} {tag[1]} I')
            later.append((pseudo, rows))

    def kinds(self):
        found = {}
        for path, methods in self.spec['paths'].items():
            m = re.match(r'/(?:api|apis/([^/]+))/([^/]+)/(?:namespaces/\{namespace\}/)?([a-z]+)(?:/\{name\}/?(.*))?$', path)
            if not m or '/watch/' in path or '{path}' in path:
                continue
            group, version, plural, sub = m[1] or '', m[2], m[3], m[4] or ''
            if (group, version) not in SERVED or plural in NOT_SERVED:
                continue
            if path.endswith('/namespaces/{namespace}/' + plural) or f'/namespaces/{{namespace}}/{plural}/' in path:
                scope = 'N'
            else:
                scope = 'C'
            row = found.setdefault((group, version, plural), {'scope': 'C', 'verbs': set(), 'subs': set(), 'kind': None})
            if scope == 'N':
                row['scope'] = 'N'
            if sub:
                row['subs'].add(sub)
                continue
            for method, op in methods.items():
                if not isinstance(op, dict) or 'x-kubernetes-action' not in op:
                    continue
                row['verbs'].add(op['x-kubernetes-action'].replace('post', 'create').replace('put', 'update'))
                gvk = op['x-kubernetes-group-version-kind']
                row['kind'] = gvk['kind']
        return found


def main():
    spec = json.load(open(sys.argv[1]))
    table = Table(spec, sys.argv[2], sys.argv[3])
    by_gvk = {}
    for name, d in spec['definitions'].items():
        for gvk in d.get('x-kubernetes-group-version-kind', []):
            by_gvk.setdefault((gvk['group'], gvk['version'], gvk['kind']), name)
    out = ['V ' + spec['info'].get('version', '')]
    for (group, version, plural), row in sorted(table.kinds().items()):
        kind = row['kind']
        if not kind or not row['verbs']:
            continue
        name = by_gvk[(group, version, kind)]
        table.want(name)
        verbs = {'list', 'watch'} | row['verbs'] if 'list' in row['verbs'] else row['verbs']
        categories = 'all' if plural in ALL else 'api-extensions' if plural in EXTENSIONS else '-'
        shorts = SHORT.get(plural, '-') if group != 'events.k8s.io' else '-'
        out.append(' '.join(['K', group or '-', version, kind, plural, kind.lower(), row['scope'], short(name), shorts,
                             categories, ','.join(sorted(verbs)), ','.join(sorted(row['subs'])) or '-']))
    for extra in ('DeleteOptions', 'Status', 'PartialObjectMetadata'):
        name = 'io.k8s.apimachinery.pkg.apis.meta.v1.' + extra
        if name in spec['definitions']:
            table.want(name)
    for extra in (('autoscaling', 'v1', 'Scale'), ('policy', 'v1', 'Eviction'), ('authentication.k8s.io', 'v1', 'TokenRequest')):
        table.want(by_gvk[extra])
    while table.todo:
        table.print_type(table.todo.pop(0), out)
    print('\n'.join(out))


main()
