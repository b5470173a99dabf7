// Prints cases.yaml with what real Go gives for each: go run expect.go <cases.yaml >new.yaml
// (in a module that requires github.com/Masterminds/sprig/v3 and sigs.k8s.io/yaml).
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"
)

type file struct {
	Data  any        `json:"data"`
	Cases []testCase `json:"cases"`
}

type testCase struct {
	Name   string `json:"name"`
	Text   string `json:"text"`
	Option string `json:"option,omitempty"`
	Want   string `json:"want,omitempty"`
	Error  string `json:"error,omitempty"`
}

func run(c *testCase, data any) {
	c.Want, c.Error = "", ""
	defer func() {
		if r := recover(); r != nil {
			c.Error = fmt.Sprint("panic: ", r)
		}
	}()
	t := template.New(c.Name).Funcs(sprig.TxtFuncMap())
	if c.Option != "" {
		t = t.Option(c.Option)
	}
	t, err := t.Parse(c.Text)
	if err != nil {
		c.Error = err.Error()
		return
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		c.Error = err.Error()
		return
	}
	c.Want = out.String()
}

func main() {
	in, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	var all file
	if err := yaml.Unmarshal(in, &all); err != nil {
		panic(err)
	}
	for i := range all.Cases {
		run(&all.Cases[i], all.Data)
	}
	out, err := yaml.Marshal(all)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(out)
}
