"""Wrong dvc.yaml files, each with the whole message that it must give."""

from __future__ import annotations

BAD: dict[str, tuple[str, str]] = {
    "not yaml": (
        ("stages:\n  a:\n    cmd: [x\n  b: y\n"),
        (
            "dvc.yaml:4: not YAML: while parsing a flow sequence did not find expected ',' or ']'\n"
            "  correct the line, or the one before it"
        ),
    ),
    "tab": (
        ("stages:\n\ta: x\n"),
        (
            "dvc.yaml:2: not YAML: while scanning for the next token found character '\\t' that cannot start any token\n"
            "  correct the line, or the one before it"
        ),
    ),
    "dup key": (
        ("stages:\n  a: {cmd: x}\n  a: {cmd: y}\n"),
        ("dvc.yaml:3: not YAML: duplicate key 'a'\n  correct the line, or the one before it"),
    ),
    "list": (
        "- a\n",
        ("dvc.yaml:1: expected a mapping, found a list\n  see the dvc.yaml reference of DVC"),
    ),
    "text": (
        "hello",
        ("dvc.yaml:1: expected a mapping, found text\n  see the dvc.yaml reference of DVC"),
    ),
    "nul": (
        "a: \u0000",
        ("dvc.yaml:1: not YAML: the character U+0000 is not allowed\n  take it out, or write it as an escape"),
    ),
    "missing var": (
        ("stages:\n  a:\n    cmd: echo ${nope.x}\n  b:\n    cmd: echo ${also}\n"),
        (
            "dvc.yaml:3: stages.a.cmd: nothing defines 'nope.x'\n"
            "  define it in params.yaml, under `vars`, or correct the name\n"
            "dvc.yaml:5: stages.b.cmd: nothing defines 'also'\n"
            "  define it in params.yaml, under `vars`, or correct the name"
        ),
    ),
    "missing in foreach": (
        ("stages:\n  a:\n    foreach: ${nope}\n    do: {cmd: 'x ${item}'}\n"),
        (
            "dvc.yaml:3: stages.a.foreach: nothing defines 'nope'\n"
            "  define it in params.yaml, under `vars`, or correct the name"
        ),
    ),
    "missing in matrix": (
        ("stages:\n  a:\n    matrix: {m: '${nope}'}\n    cmd: 'x ${item.m}'\n"),
        (
            "dvc.yaml:3: stages.a.matrix: nothing defines 'nope'\n"
            "  define it in params.yaml, under `vars`, or correct the name"
        ),
    ),
    "unknown key": (
        ("stages:\n  a:\n    cmd: x\n    dep: [y]\n"),
        ("dvc.yaml:4: stages.a.dep: unknown key 'dep'\n  did you mean 'deps'?"),
    ),
    "no cmd": (
        ("stages:\n  a:\n    deps: [y]\n"),
        ("dvc.yaml:2: stages.a: the key 'cmd' is missing\n  add it"),
    ),
    "top unknown": (
        ("stage:\n  a: {cmd: x}\n"),
        ("dvc.yaml:1: stage: unknown key 'stage'\n  did you mean 'stages'?"),
    ),
    "wrong types": (
        ("stages:\n  a:\n    cmd: 3\n    deps: x\n    frozen: maybe\n"),
        (
            "dvc.yaml:3: stages.a.cmd: expected text, found a number\n"
            "  put it in quotes\n"
            "dvc.yaml:4: stages.a.deps: expected a list, found text\n"
            "  see the dvc.yaml reference of DVC\n"
            "dvc.yaml:5: stages.a.frozen: expected true or false, found text\n"
            "  see the dvc.yaml reference of DVC"
        ),
    ),
    "cmd empty": (
        ("stages:\n  a:\n    cmd: ''\n  b: {cmd: []}\n  c: {cmd: ['']}\n  d: {cmd: ' '}\n"),
        (
            "dvc.yaml:2: stages.a: stage a: its command is empty\n"
            "  write a command under cmd\n"
            "dvc.yaml:4: stages.b: stage b: its command is empty\n"
            "  write a command under cmd"
        ),
    ),
    "cmd no text": (
        ("stages:\n  a:\n    cmd: [echo, 2020-01-01]\n"),
        (
            "dvc.yaml:2: stages.a: stage a: its command is no text: ['echo', datetime.date(2020, 1, 1)]\n"
            "  let the template be a part of a text"
        ),
    ),
    "empty item": (
        ("stages:\n  a:\n    foreach: [x, '']\n    do: {cmd: x}\n"),
        (
            "dvc.yaml:2: stages.a: stage a@: an item of its foreach is empty\n"
            "  DVC cannot find a stage that is called so: give the item a text"
        ),
    ),
    "params file": (
        ("stages:\n  a:\n    cmd: x\n    params: [{2020-01-01: [b]}]\n"),
        ("dvc.yaml:2: stages.a: a parameter file must be a path, found 2020-01-01\n  put it in quotes"),
    ),
    "cycle": (
        (
            "stages:\n"
            "  a: {cmd: x, deps: [c], outs: [a]}\n"
            "  b: {cmd: x, deps: [a], outs: [b]}\n"
            "  c: {cmd: x, deps: [b], outs: [c]}\n"
        ),
        (
            "dvc.yaml:2: stages.a: the stages depend on each other in a circle: a needs c needs b needs a\n"
            "  take one of these deps out"
        ),
    ),
    "self": (
        ("stages:\n  a: {cmd: x, deps: [d/x], outs: [d]}\n"),
        ("dvc.yaml:2: stages.a: the stages depend on each other in a circle: a needs a\n  take one of these deps out"),
    ),
    "two outs": (
        ("stages:\n  a: {cmd: x, outs: [o]}\n  b: {cmd: x, outs: [o]}\n"),
        ("dvc.yaml:3: stages.b: the output o of stage b is also one of stage a\n  give each output one stage"),
    ),
    "same out twice": (
        ("stages:\n  a: {cmd: x, outs: [o, ./o]}\n"),
        ("dvc.yaml:2: stages.a: stage a: o stands twice in its outputs\n  once is enough"),
    ),
    "dep is out": (
        ("stages:\n  a: {cmd: x, deps: [o], outs: [o]}\n"),
        ("dvc.yaml:2: stages.a: stage a: o is a dep and an output at once\n  take it out of one of the two"),
    ),
    "out in out": (
        ("stages:\n  a: {cmd: x, outs: [o]}\n  b: {cmd: x, outs: [o/p]}\n"),
        (
            "dvc.yaml:3: stages.b: the output o/p of stage b lies inside the output o of stage a\n"
            "  track one of them, or move one elsewhere"
        ),
    ),
    "wdir out": (
        ("stages:\n  a: {cmd: x, wdir: ../.., outs: [o]}\n"),
        ("dvc.yaml:2: stages.a: stage a: its wdir ../.. is outside the repository\n  use a folder inside"),
    ),
    "wdir absolute and out": (
        ("stages:\n  a: {cmd: x, wdir: /far/away, outs: [o]}\n"),
        ("dvc.yaml:2: stages.a: stage a: its wdir /far/away is outside the repository\n  use a folder inside"),
    ),
    "out is dvc.yaml": (
        ("stages:\n  a: {cmd: x, outs: [dvc.yaml]}\n"),
        (
            "dvc.yaml:2: stages.a: stage a: the output dvc.yaml would replace dvc.yaml, or a file like it\n"
            "  let the stage write elsewhere"
        ),
    ),
    "out is root": (
        ("stages:\n  a: {cmd: x, outs: [.]}\n"),
        (
            "dvc.yaml:2: stages.a: stage a: the output . would replace dvc.yaml, or a file like it\n"
            "  let the stage write elsewhere"
        ),
    ),
    "out .dvc": (
        ("stages:\n  a: {cmd: x, outs: [.dvc/x]}\n"),
        (
            "dvc.yaml:2: stages.a: stage a: the output .dvc/x lies in a folder that is not the user's\n"
            "  let the stage write elsewhere"
        ),
    ),
    "out in a repository below": (
        ("stages:\n  a: {cmd: x, outs: [sub/.git/hooks/post-checkout]}\n"),
        (
            "dvc.yaml:2: stages.a: stage a: the output sub/.git/hooks/post-checkout lies in a folder that is not the user's\n"
            "  let the stage write elsewhere"
        ),
    ),
    "vars missing file": (
        ("vars:\n  - no.yaml\nstages:\n  a: {cmd: x}\n"),
        ("dvc.yaml:1: vars: 'no.yaml' does not exist\n  correct `vars`, or bring the file back (git checkout)"),
    ),
    "vars conflict": (
        ("vars:\n  - a: 1\n  - a: 2\nstages:\n  a: {cmd: x}\n"),
        (
            "dvc.yaml:1: vars: cannot redefine 'a' from 'vars[1]' as it already exists in 'vars[0]'\n"
            "  correct `vars`, or bring the file back (git checkout)"
        ),
    ),
    "vars no list": (
        ("vars: {a: 1}\nstages:\n  a: {cmd: x}\n"),
        ("dvc.yaml:1: vars: 'a' does not exist\n  correct `vars`, or bring the file back (git checkout)"),
    ),
    "foreach number": (
        ("stages:\n  a:\n    foreach: 3\n    do: {cmd: x}\n"),
        ("dvc.yaml:3: stages.a.foreach: expected list/dictionary, got int\n  correct the template"),
    ),
    "foreach null": (
        ("stages:\n  a:\n    foreach:\n    do: {cmd: x}\n"),
        ("dvc.yaml:3: stages.a.foreach: expected list/dictionary, got NoneType\n  correct the template"),
    ),
    "foreach dict in key": (
        ("vars: [{d: {x: 1}}]\nstages:\n  a:\n    cmd: x\n    deps: ['${d}']\n"),
        ("dvc.yaml:5: stages.a.deps: Cannot interpolate data of type 'dict'\n  correct the template"),
    ),
    "name": (
        ("stages:\n  a@b: {cmd: x}\n  'a b': {cmd: x}\n  'a/b': {cmd: x}\n"),
        (
            "dvc.yaml:2: stages.a@b: 'a@b' cannot be a stage's name: DVC writes @ between a group and its key\n"
            "  choose a name without @"
        ),
    ),
    "null stages": (
        "stages:\n",
        ("dvc.yaml:1: stages: expected a mapping, found nothing\n  see the dvc.yaml reference of DVC"),
    ),
    "null stage": (
        ("stages:\n  a:\n"),
        ("dvc.yaml:2: stages.a: expected a mapping, found nothing\n  see the dvc.yaml reference of DVC"),
    ),
    "int keys": (
        ("stages:\n  1: {cmd: x}\n  2: {cmd: 'echo ${1}'}\n"),
        (
            "dvc.yaml:2: stages.1: the key 1 is no text\n"
            "  put it in quotes\n"
            "dvc.yaml:3: stages.2: the key 2 is no text\n"
            "  put it in quotes"
        ),
    ),
    "bad expr": (
        ("stages:\n  a: {cmd: 'echo ${a b}'}\n"),
        (
            "dvc.yaml:2: stages.a.cmd: nothing defines 'a b'\n"
            "  define it in params.yaml, under `vars`, or correct the name"
        ),
    ),
    "list outs odd": (
        ("stages:\n  a: {cmd: x, outs: [{a: {cash: false}}], metrics: [{b: 3}], plots: [[x]]}\n"),
        (
            "dvc.yaml:2: stages.a.metrics[0].b: expected a mapping, found a number\n"
            "  see the dvc.yaml reference of DVC\n"
            "dvc.yaml:2: stages.a.outs[0].a.cash: unknown key 'cash'\n"
            "  did you mean 'cache'?\n"
            "dvc.yaml:2: stages.a.plots[0]: expected text, found a list\n"
            "  see the dvc.yaml reference of DVC"
        ),
    ),
    "params odd": (
        ("stages:\n  a: {cmd: x, params: [3, {a: 4}]}\n"),
        ("dvc.yaml:2: stages.a.params[0]: expected text, found a number\n  put it in quotes"),
    ),
    "matrix odd": (
        ("stages:\n  a: {matrix: {m: []}, cmd: x}\n  b: {matrix: 3, cmd: x}\n"),
        ("dvc.yaml:3: stages.b.matrix: expected a mapping, found a number\n  see the dvc.yaml reference of DVC"),
    ),
    "both": (
        ("stages:\n  a: {matrix: {m: [1]}, foreach: [1], do: {cmd: x}}\n"),
        ("dvc.yaml:2: stages.a.matrix: unknown key 'matrix'\n  a stage has either foreach or matrix"),
    ),
    "empty path": (
        ("stages:\n  a: {cmd: x, deps: [''], outs: ['']}\n"),
        ("dvc.yaml:2: stages.a: an output is empty\n  write a path"),
    ),
    "timestamp": (
        ("stages:\n  a: {cmd: x, meta: {d: 2020-01-01}, deps: [2020-01-01]}\n"),
        ("dvc.yaml:2: stages.a.deps[0]: expected text, found a date\n  put it in quotes"),
    ),
    "alias": (
        ("x: &a {cmd: x}\nstages:\n  a: *a\n"),
        ("dvc.yaml:1: x: unknown key 'x'\n  known keys: artifacts, datasets, metrics, params, plots, stages, vars"),
    ),
    "recursive": (
        ("stages: &a\n  a: *a\n"),
        (
            "dvc.yaml: lists and mappings are nested more than 150 deep, or an alias is inside its own value\n"
            "  DVC cannot read it either: nest them less deeply, without the alias"
        ),
    ),
    "deep": (
        "stages: " + "[" * 3000,
        (
            "dvc.yaml: lists and mappings are nested more than 150 deep, or an alias is inside its own value\n"
            "  DVC cannot read it either: nest them less deeply, without the alias"
        ),
    ),
    "tag": (
        "stages: !!python/object:os.system {}\n",
        (
            "dvc.yaml:1: not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object:os.system'\n"
            "  correct the line, or the one before it"
        ),
    ),
    "two docs": (
        ("stages:\n  a: {cmd: x}\n---\nstages: {}\n"),
        (
            "dvc.yaml:3: not YAML: expected a single document in the stream but found another document\n"
            "  correct the line, or the one before it"
        ),
    ),
    "surrogate": (
        ('stages:\n  a: {cmd: "\\ud800"}\n'),
        (
            "dvc.yaml:2: not YAML: while parsing a quoted scalar found invalid Unicode character escape code\n"
            "  correct the line, or the one before it"
        ),
    ),
    "one word": (
        ("vars: [{x: '1; touch y'}]\nstages:\n  a:\n    cmd: swath exec s --x ${x}\n"),
        (
            "dvc.yaml:4: stages.a.cmd: stage a: the value '1; touch y' of ${x} does not stay one shell word without quotes: it holds '; '\n"
            "  quote it: '${x}'"
        ),
    ),
}
