#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants markup, terminal escapes, overrides and broken UTF-8 into every field of every outside
source of r1-medical, and looks at all it makes.

    check_markup.py R1_MEDICAL MODEL        exit 0: harmless; 1: problems, one a line

Sources: our XML, OBO, OWL, annotations, Orphadata, Mondo's tables, a built knowledge base, the
record's text and file name, the model's name. Products: the report as HTML (parsed: no element or
attribute beside the template's), JSON (parsed), PDF (by pdftotext) and text (no character that a
terminal obeys), and what annotate, rank and ontology info print.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from xml.sax.saxutils import escape, quoteattr

problems = []


def plant(field):
    """What XML may hold: markup, quotes, an override and an eight-bit escape."""
    return (f'<script>{field}</script>&"\'\u202e\u009b31m</style>'
            f'<a href="javascript:{field}" onclick=x>')


def short(field):
    """For fields whose reader keeps few bytes."""
    return f"<script>{field}</script>\u202e&"


def raw(field):
    """What a text file may hold beside: terminal escapes and bytes that are not UTF-8."""
    return plant(field) + "\x1b]0;x\x07\x1b[2J\udcff\udcc3"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as f:
        f.write(text)


# ---- sources ------------------------------------------------------------------------------------

def own_xml(path):
    long_name = "x" + "é" * 600  # more than the reader keeps
    write(path, f"""<r1-ontology version={quoteattr(short("version"))}
 title={quoteattr(plant("title"))} licence={quoteattr(plant("licence"))}
 url={quoteattr("javascript:" + short("url"))}>
<findings>
<finding id="R1:root" name={quoteattr(plant("root"))} root="true"/>
<finding id={quoteattr("R1:1" + short("id"))} name={quoteattr(plant("name"))}>
 <definition>{escape(plant("definition"))}</definition><synonym>zebra sign</synonym>
 <synonym>{escape(plant("synonym"))}</synonym><is-a finding="R1:root"/>
 <xref id={quoteattr("HP:1" + short("xref"))}/></finding>
<finding id="R1:2" name={quoteattr(plant("absent"))}><synonym>striped skin</synonym>
 <is-a finding="R1:root"/></finding>
<finding id="R1:3" name={quoteattr(plant("typical"))}><is-a finding="R1:root"/></finding>
<finding id="R1:4" name={quoteattr(long_name)}><synonym>spotted tail</synonym>
 <is-a finding="R1:root"/></finding>
</findings><diseases>
<disease id={quoteattr("OMIM:1" + short("id"))} name={quoteattr(plant("disease"))}>
 <gene>{escape(plant("gene"))}</gene><gene>{escape("<script>alert(1)</script>")}</gene>
 <has finding={quoteattr("R1:1" + short("id"))} frequency="0.9"/>
 <has finding="R1:2" frequency="0"/><has finding="R1:3" frequency="0.9"/></disease>
<disease id="OMIM:2" name={quoteattr(long_name)}><has finding="R1:4" frequency="0.9"/></disease>
</diseases></r1-ontology>
""")
    return path


def annotations(folder):
    row = "OMIM:{}\t{}\t\t{}\tPMID:1\tPCS\t\t9/10\t\t\tP\t{}\n"
    write(f"{folder}/phenotype.hpoa",
          f"#version: {short('version')}\x1b[2J\n"
          "database_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency"
          "\tsex\tmodifier\taspect\tbiocuration\n" +
          row.format("1" + short("id"), raw("disease"), "HP:0000001", raw("curation")) +
          row.format("1" + short("id"), raw("disease"), "HP:0000003", "x") +
          row.format("2", "y" * 5000, "HP:0000002", "x"))


def obo_folder(folder):
    no_blank = raw("id").replace(" ", "")[:40]
    stanza = '\n[Term]\nid: {}\nname: {}\ndef: "{}" []\nsynonym: "{}" EXACT []\nis_a: {}\n'
    quoted = raw("quoted").replace('"', '\\"')
    write(f"{folder}/hp.obo",
          f"format-version: 1.2\ndata-version: {raw('version')}\n\n[Term]\nid: HP:0000118\n"
          f"name: {raw('root')}\n" +
          stanza.format("HP:0000001", raw("name"), quoted, "zebra sign", "HP:0000118") +
          f"alt_id: HP:{no_blank}\nsynonym: \"{quoted}\" RELATED []\n" +
          stanza.format("HP:0000002", raw("other"), quoted, "striped skin", "HP:0000118") +
          stanza.format("HP:0000003", raw("typical"), quoted, "spotted tail", "HP:0000118"))
    annotations(folder)
    write(f"{folder}/en_product1.xml",
          f"<JDBOR date={quoteattr(short('date'))}><L><Disorder id=\"1\"><OrphaCode>7</OrphaCode>"
          f"<Name lang=\"en\">{escape(plant('orpha'))}</Name>"
          f"<GeneList><Gene><Symbol>{escape(plant('symbol'))}</Symbol></Gene></GeneList>"
          "<HPODisorderAssociationList><HPODisorderAssociation><HPO><HPOId>HP:0000001</HPOId></HPO>"
          "<HPOFrequency><Name lang=\"en\">Very frequent (99-80%)</Name></HPOFrequency>"
          "</HPODisorderAssociation></HPODisorderAssociationList></Disorder></L></JDBOR>\n")
    write(f"{folder}/mondo_exactmatch_x.tsv",
          f"# mapping_set_version: {raw('version')}\n"
          "subject_id\tsubject_label\tpredicate_id\tobject_id\n"
          f"MONDO:{raw('mondo')}\t{raw('label')}\tskos:exactMatch\tOMIM:3\n"
          f"MONDO:2\t{raw('label')}\tskos:exactMatch\tOrphanet:7\n")
    write(f"{folder}/mondo-rare_edges.tsv",
          "id\tsubject\tpredicate\tobject\n"
          f"x\tMONDO:2\tbiolink:subclass_of\tMONDO:{raw('mondo')}\n")
    return folder


def owl_folder(folder):
    obo = "http://purl.obolibrary.org/obo/"
    term = (f'<owl:Class rdf:about="{obo}HP_{{}}"><rdfs:subClassOf rdf:resource="{obo}HP_0000118"/>'
            "<rdfs:label>{}</rdfs:label><obo:IAO_0000115>{}</obo:IAO_0000115>"
            "<oio:hasExactSynonym>{}</oio:hasExactSynonym>"
            "<oio:hasAlternativeId>HP:{}</oio:hasAlternativeId></owl:Class>\n")
    write(f"{folder}/hp.owl",
          '<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
          ' xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" xmlns:owl="http://www.w3.org/2002/'
          f'07/owl#" xmlns:obo="{obo}" xmlns:oio="http://www.geneontology.org/formats/oboInOwl#">'
          "<owl:Ontology><owl:versionIRI rdf:resource="
          f"{quoteattr('javascript:' + plant('version'))}/></owl:Ontology>"
          f'<owl:Class rdf:about="{obo}HP_0000118"><rdfs:label>Root</rdfs:label></owl:Class>' +
          term.format("0000001", escape(plant("label")), escape(plant("definition")), "zebra sign",
                      escape(short("alternative"))) +
          term.format("0000002", escape(plant("label2")), "d", "striped skin", "x") +
          term.format("0000003", escape(plant("typical")), "d", "spotted tail", "y") +
          "</rdf:RDF>\n")
    annotations(folder)
    return folder


def record(folder, name):
    path = os.path.join(os.fsencode(folder), os.fsencode(name))
    text = plant("record") + "\x1b]0;x\x07\x1b[2J"
    with open(path, "wb") as f:
        f.write(f"""A 30-year-old man with {text} zebra sign {text} and a spotted tail.
No striped{chr(10)}skin. <!-- {text} --> Possible {text} spotted tail. Father with zebra sign.
""".encode())
    return path


def planted_model(model, path):
    """The same length, so that all offsets of the file stay."""
    with open(model, "rb") as f:
        data = f.read()
    with open(path, "wb") as f:
        f.write(data.replace(b'{"name": "medical-b"', b'{"name": "<i>\\u001b"')
                .replace(b"medical-b", b"<a>\x1b[2J&b"))
    return path


# ---- products -----------------------------------------------------------------------------------

ELEMENTS = {
    "html": ["lang=en", "lang=zh"], "head": [""], "meta": ["charset=utf-#"], "title": [""],
    "style": [""], "body": [""], "h1": [""], "h2": [""], "h3": [""], "br": [""],
    "p": ["", "class=meta", "class=banner", "class=scope", "class=annex"],
    "details": ["class=card open=", "class=card"], "summary": [""],
    "span": ["class=p", "class=id", "class=pin", "class=bar", "class=lr", "class=against"],
    "b": [""], "i": ["style=width:#%", "class=f style=width:#%", "class=a style=width:#%",
                     "class=z"],
    "table": [""], "tr": [""], "th": [""],
    "td": ["", "class=for", "class=against", "class=n", "class=sys colspan=#"],
    "mark": [""], "ul": [""], "li": [""],
    "a": ["class=id href=https://hpo.jax.org/browse/term/HP:#", "href=https://omim.org/entry/#",
          "href=https://www.orpha.net/en/disease/detail/#",
          "href=https://monarchinitiative.org/MONDO:#",
          "href=https://rarediseases.info.nih.gov/diseases/#/",
          "href=https://hpo.jax.org/browse/disease/OMIM:#",
          "href=https://hpo.jax.org/browse/disease/ORPHA:#"],
    "svg": ["viewbox=# # # # role=img"],
    "polyline": ["points=# fill=none stroke=#c stroke-width=#",
                 "points=# fill=none stroke=#c stroke-width=# stroke-linecap=round "
                 "stroke-linejoin=round"],
    "circle": ["cx=# cy=# r=# fill=#c stroke=#c"],
    "text": ["x=# y=# font-size=# fill=#c text-anchor=start",
             "x=# y=# font-size=# fill=#c text-anchor=end"]}


def form_of(key, value):
    """An attribute with its numbers, lists of points and colours left out."""
    if re.fullmatch(r"#[0-9a-f]{6}", value):
        return f"{key}=#c"
    if key == "points":
        return "points=#" if re.fullmatch(r"[0-9., -]+", value) else f"{key}={value}"
    return f"{key}=" + re.sub("[0-9.]*[0-9]", "#", value)


class Page(HTMLParser):
    def __init__(self, what):
        super().__init__(convert_charrefs=True)
        self.what, self.open, self.words, self.styles = what, [], [], 0

    def handle_starttag(self, tag, attrs):
        form = " ".join(form_of(k, v or "") for k, v in attrs)
        if form not in ELEMENTS.get(tag, []):
            problems.append(f"{self.what}: <{tag} {form}>")
        self.styles += tag == "style"
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            problems.append(f"{self.what}: </{tag}> closes what it did not open")

    def handle_data(self, data):
        self.words.append(data)

    def handle_comment(self, data):
        problems.append(f"{self.what}: a comment")

    def handle_pi(self, data):
        problems.append(f"{self.what}: a processing instruction")


def hidden(text):
    """Characters that a terminal obeys, that reorder what is read, or that are no text."""
    return sorted({f"U+{ord(c):04X}" for c in text
                   if ord(c) < 32 and c not in "\n\t" or 0x7f <= ord(c) < 0xa0
                   or 0x2028 <= ord(c) <= 0x202e or 0x2066 <= ord(c) <= 0x2069})


def check_text(what, data, must=()):
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        problems.append(f"{what}: {e}")
        return
    if hidden(text):
        problems.append(f"{what}: {' '.join(hidden(text))}")
    for word in must:
        if word not in text:
            problems.append(f"{what}: \"{word}\" is not shown")


def strings(x):
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, list):
        return [s for v in x for s in strings(v)]
    return [x] if isinstance(x, str) else []


def read(path):
    if not os.path.exists(path):
        problems.append(f"{path}: was not written")
        return b""
    with open(path, "rb") as f:
        return f.read()


def check_report(what, folder, must, stem="record"):
    made = f"{folder}/{stem}.report"
    html = read(f"{made}.html")
    page = Page(f"{what}, HTML")
    page.feed(html.decode(errors="replace"))
    page.close()
    if page.open:
        problems.append(f"{what}, HTML: {page.open} stay open")
    if page.styles != 1 or html.count(b"</style>") != 1:
        problems.append(f"{what}, HTML: another style sheet")
    check_text(f"{what}, HTML", "".join(page.words).encode(errors="surrogateescape"), must)
    check_text(f"{what}, HTML as it is", html)
    shown = [word for word in must if "typical" not in word]  # those are in HTML and JSON alone
    check_text(f"{what}, text", read(f"{made}.txt"), shown)
    try:
        found = "\n".join(strings(json.loads(read(f"{made}.json"))))
        for word in must:
            if word not in found:
                problems.append(f"{what}, JSON: \"{word}\" is not in it")
    except ValueError as e:
        problems.append(f"{what}, JSON: {e}")
    read(f"{made}.pdf")
    if shutil.which("pdftotext"):
        out = subprocess.run(["pdftotext", "-raw", f"{made}.pdf", "-"],
                             capture_output=True, check=False)
        check_text(f"{what}, PDF", out.stdout.replace(b"\f", b""))
        if must and must[0][:5].encode() not in out.stdout:  # a line may end within a word
            problems.append(f"{what}, PDF: the planted words are not shown")
    else:
        print("pdftotext is not installed: the PDF's text is not checked")


def run(program, *args):
    """Standard output; a run that fails is a problem."""
    p = subprocess.run([program, *args], capture_output=True, check=False)
    if p.returncode != 0:
        problems.append(f"{args}: exit {p.returncode}: {p.stderr.decode(errors='replace')[:300]}")
    return p.stdout


def rows_of(what, data, columns):
    check_text(what, data)
    for line in data.decode(errors="replace").splitlines():
        if line in ("# sex: male", "# age: 30 y"):  # what annotate says behind its table
            continue
        if line.startswith("# This ranking knows only ") and "\t" not in line:
            continue
        if line.count("\t") + 1 != columns:
            problems.append(f"{what}: a row of {line.count(chr(9)) + 1} columns: {line[:60]!r}")


HOSTILE_NAME = "<img src=x onerror=name>&\"'\x1b[2J\u202e\udcff.txt"


def check_source(program, folder, name, kb, observed, must, *args, file_name="record.txt"):
    out = os.path.join(folder, "out-" + name)
    path = record(folder, file_name)
    run(program, "report", path, "--kb", kb, "--out", out, *args)
    check_report(name, out, must, os.path.splitext(file_name)[0])
    rows_of(f"{name}, annotate", run(program, "annotate", path, "--kb", kb), 11)
    try:
        json.loads(run(program, "annotate", path, "--kb", kb, "--json"))
    except ValueError as e:
        problems.append(f"{name}, annotate --json: {e}")
    rows_of(f"{name}, rank", run(program, "rank", "--no-r1", "--kb", kb, "--observed", observed), 4)
    check_text(f"{name}, ontology info", run(program, "ontology", "info", "--kb", kb))


def main():
    program, model = sys.argv[1:3]
    with tempfile.TemporaryDirectory(prefix="r1-med-markup-") as folder:
        own = own_xml(f"{folder}/own/r1med.xml")
        obo, owl = obo_folder(f"{folder}/obo"), owl_folder(f"{folder}/owl")
        script = "<script>{}</script>".format
        own_must = [script(x) for x in ("name", "disease", "version", "licence", "typical")]
        check_source(program, folder, "own", own, "R1:4", own_must, "--no-r1")
        check_source(program, folder, "file name", own, "R1:4", ["<img src=x onerror=name>"],
                     "--no-r1", file_name=HOSTILE_NAME)
        check_source(program, folder, "model", own, "R1:4", own_must, "--model",
                     planted_model(model, f"{folder}/<b>model.gguf"))
        obo_must = [script(x) for x in ("name", "version", "orpha", "typical")]
        check_source(program, folder, "obo", obo, "HP:0000001", obo_must, "--no-r1")
        check_source(program, folder, "owl", owl, "HP:0000001",
                     [script(x) for x in ("label", "version", "disease")], "--no-r1")
        built = f"{folder}/built.r1kb"
        run(program, "ontology", "build", obo, "--out", built)
        check_source(program, folder, "built", built, "HP:0000001", obo_must, "--no-r1")
    print("\n".join(problems) if problems else "nothing planted was obeyed")
    return 1 if problems else 0


sys.exit(main())
