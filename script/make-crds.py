#!/usr/bin/env python3
"""Writes the schemas of deploy/crds/*.yaml from deploy/crds/fields/*.txt.

usage: make-crds.py [--check]

What stands above the schema in a YAML file (names, versions, columns) is written there by hand and stays.
--check changes nothing and fails when a file is not current.

A fields file, of lines that are indented by two spaces a level:
  scalar NAME TYPE PATTERN          a type of text that has a form
  type NAME [+FLAG ..]              fields that several places have
  kind GROUP PLURAL VERSION ..      a kind; its status is open
    NAME[!] TYPE [+FLAG ..] [=A|B]  DESCRIPTION
    ...TYPE                         all fields of a type
!: required. Types: string, bool, int, int32, int64, intOrString, any (also no object), open (an object of any fields),
object (its fields follow, one level deeper), a scalar or type of the file; []TYPE a list, {}TYPE a map by name.
Flags: +open (unknown fields stay), +atomic (applied as a whole). =A|B: the only values.
"""
import difflib
import pathlib
import re
import sys

CRDS = pathlib.Path(__file__).resolve().parent.parent / 'deploy' / 'crds'
SIMPLE = {
    'string': {'type': 'string'},
    'bool': {'type': 'boolean'},
    'int': {'type': 'integer'},
    'int32': {'type': 'integer', 'format': 'int32'},
    'int64': {'type': 'integer', 'format': 'int64'},
    'intOrString': {'x-kubernetes-int-or-string': True},
    'any': {'x-kubernetes-preserve-unknown-fields': True},
    'open': {'type': 'object', 'x-kubernetes-preserve-unknown-fields': True},
}


class Line:
    def __init__(self, where, text):
        self.where, self.text, self.below = where, text.strip(), []


def read(path):
    """The lines of a file as a tree."""
    root = Line(str(path), '')
    open_lines = [root]
    for number, text in enumerate(path.read_text().splitlines(), 1):
        if not text.strip() or text.lstrip().startswith('#'):
            continue
        line = Line(f'{path}:{number}', text)
        level, odd = divmod(len(text) - len(text.lstrip()), 2)
        if odd or level >= len(open_lines):
            sys.exit(f'{line.where}: the indentation is not that of a level')
        del open_lines[level + 1:]
        open_lines[level].below.append(line)
        open_lines.append(line)
    return root.below


class Fields:
    """The kinds of one file as schemas."""

    def __init__(self, path):
        self.scalars, self.types, self.kinds = {}, {}, []
        for line in read(path):
            word, *rest = line.text.split()
            if word == 'scalar':
                name, base, pattern = line.text.split(maxsplit=3)[1:]
                self.scalars[name] = dict(SIMPLE[base], pattern=pattern)
            elif word == 'type':
                self.types[rest[0]] = (line, rest[1:])
            elif word == 'kind':
                self.kinds.append((rest[0], rest[1], rest[2:], line))
            else:
                sys.exit(f'{line.where}: want scalar, type or kind')

    def schema(self, line):
        out = {'type': 'object'}
        self.members(line, out)
        out['properties']['status'] = SIMPLE['open']
        return out

    def members(self, line, out):
        required, properties = out.setdefault('required', []), out.setdefault('properties', {})
        for field in line.below:
            if field.text.startswith('...'):
                self.members(self.named(field, field.text[3:])[0], out)
                continue
            name, kind, rest = (field.text.split(maxsplit=2) + ['', ''])[:3]
            if name.endswith('!'):
                name = name[:-1]
                required.append(name)
            if name in properties:
                sys.exit(f'{field.where}: {name} is there twice')
            properties[name] = self.field(field, kind, rest)
        return out

    def named(self, line, name):
        if name not in self.types:
            sys.exit(f'{line.where}: there is no type {name}')
        return self.types[name]

    def field(self, line, kind, rest):
        flags, words = [], rest.split()
        while words and words[0][0] in '+=':
            flags.append(words.pop(0))
        described = {'description': ' '.join(words)} if words else {}
        return {**described, **self.typed(line, kind, flags)}

    def typed(self, line, kind, flags):
        if kind.startswith('[]'):
            return {'type': 'array', 'items': self.typed(line, kind[2:], flags)}
        if kind.startswith('{}'):
            return {'type': 'object', 'additionalProperties': self.typed(line, kind[2:], flags)}
        if kind in SIMPLE:
            out = dict(SIMPLE[kind])
        elif kind in self.scalars:
            out = dict(self.scalars[kind])
        elif kind == 'object':
            out = self.members(line, {'type': 'object'})
        else:
            body, more = self.named(line, kind)
            out = self.members(body, {'type': 'object'})
            flags = flags + more
        for flag in flags:
            if flag == '+open':
                out['x-kubernetes-preserve-unknown-fields'] = True
            elif flag == '+atomic':
                out['x-kubernetes-map-type'] = 'atomic'
            elif flag.startswith('='):
                out['enum'] = flag[1:].split('|')
            else:
                sys.exit(f'{line.where}: {flag} is not known')
        return {k: v for k, v in out.items() if v != []}


def word(value):
    if value is True:
        return 'true'
    if isinstance(value, list):
        return '[' + ', '.join(word(v) for v in value) + ']'
    return value if re.fullmatch(r'[A-Za-z$][\w $/.()=<-]*', value) else "'" + value.replace("'", "''") + "'"


def flow(schema):
    """On one line, when it is short."""
    if not all(isinstance(v, (str, bool, dict)) or k in ('enum', 'required') for k, v in schema.items()):
        return None
    parts = []
    for key, value in schema.items():
        text = flow(value) if isinstance(value, dict) else word(value)
        if text is None or key == 'properties':
            return None
        parts.append(f'{key}: {text}')
    return '{' + ', '.join(parts) + '}'


def block(schema, indent, out):
    """As lines."""
    for key, value in schema.items():
        if not isinstance(value, dict):
            out.append(f'{indent}{key}: {word(value)}')
            continue
        short = flow(value)
        if short and len(indent) + len(key) + len(short) < 116:
            out.append(f'{indent}{key}: {short}')
        else:
            out.append(f'{indent}{key}:')
            block(value, indent + '  ', out)


def put_in(text, source, versions, schema):
    """The text of a YAML file with the schema of these versions."""
    lines, out, version = text.split('\n'), [], ''
    i = 0
    while i < len(lines):
        line = lines[i]
        i += 1
        named = re.fullmatch(r'  - name: (v\w+)', line)
        version = named[1] if named else version
        if line.lstrip().startswith('# The schema is made by'):
            continue
        if line != '    schema:' or version not in versions:
            out.append(line)
            continue
        out += [f'    # The schema is made by script/make-crds.py from fields/{source}.', line, '      openAPIV3Schema:']
        block(schema, ' ' * 8, out)
        while i < len(lines) and (lines[i].startswith('      ')):
            i += 1
    return '\n'.join(out)


def main():
    stale = False
    for path in sorted((CRDS / 'fields').glob('*.txt')):
        fields = Fields(path)
        for group, plural, versions, line in fields.kinds:
            file = CRDS / f'{group}_{plural}.yaml'
            before = file.read_text()
            after = put_in(before, path.name, versions, fields.schema(line))
            if before == after:
                continue
            stale = True
            if sys.argv[1:] == ['--check']:
                sys.stdout.writelines(difflib.unified_diff(before.splitlines(True), after.splitlines(True),
                                                           str(file), 'as script/make-crds.py makes it'))
            else:
                file.write_text(after)
    return 1 if stale and sys.argv[1:] == ['--check'] else 0


sys.exit(main())
