"""Files in every format that is read, made from one description so that a test knows what is in them."""

from __future__ import annotations

import html
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """What a made file says."""

    title: str
    heading: str
    paragraphs: tuple[str, ...]
    items: tuple[str, ...]
    steps: tuple[str, ...]
    caption: str
    rows: tuple[tuple[str, ...], ...]
    disclaimer: str | None

    @property
    def lines(self) -> tuple[str, ...]:
        """All that a reader of the article must find as sentences or within them."""
        rows = tuple(" | ".join(row) for row in self.rows)
        given = (self.disclaimer,) if self.disclaimer else ()
        return (self.title, self.heading, *self.paragraphs, *self.items, *self.steps, self.caption, *rows, *given)


ZH = Sample(
    title="睡眠与情绪的关系",
    heading="研究方法",
    paragraphs=(
        "长期睡眠不足的人更容易感到焦虑和低落，这一点在多项调查中都得到了证实，而且随着睡眠时间的缩短，这种影响会变得更加明显，"
        "研究人员因此把睡眠看作情绪健康的一面镜子。",
        "研究人员邀请了120名志愿者，连续四周记录他们的入睡时间和情绪评分。结果显示，每晚多睡一小时的人情绪评分平均提高了12.5%。",
    ),
    items=("晚上十点以后不喝咖啡", "睡前一小时不看手机"),
    steps=("记录每天的睡眠时间", "填写情绪量表"),
    caption="表1 两组志愿者的情绪评分",
    rows=(("组别", "人数", "评分"), ("充足睡眠组", "60", "7.8"), ("睡眠不足组", "60", "5.1")),
    disclaimer="免责声明：本文仅供科普参考，不构成任何医疗建议。",
)

HANT = Sample(
    title="睡眠與情緒的關係",
    heading="研究方法",
    paragraphs=(
        "長期睡眠不足的人更容易感到焦慮和低落，這一點在多項調查中都得到了證實。",
        "研究人員邀請了120名志願者，連續四週記錄他們的入睡時間和情緒評分。",
    ),
    items=("晚上十點以後不喝咖啡", "睡前一小時不看手機"),
    steps=("記錄每天的睡眠時間", "填寫情緒量表"),
    caption="表1 兩組志願者的情緒評分",
    rows=(("組別", "人數", "評分"), ("充足睡眠組", "60", "7.8")),
    disclaimer="免責聲明：本文僅供科普參考，不構成任何醫療建議。",
)

EN = Sample(
    title="How sleep shapes mood",
    heading="What the study did",
    paragraphs=(
        "People who sleep too little for a long time feel anxious or low more often, which several surveys have found, "
        "and the shorter the night is, the more clearly the effect shows in what they write down the next morning.",
        "The researchers asked 120 volunteers to note their hours of sleep for four weeks. One more hour a night went "
        "with a mood score that was 12.5% higher.",
    ),
    items=("No coffee after ten in the evening", "No telephone in the last hour of the day"),
    steps=("Note the hours of sleep", "Fill in the mood scale"),
    caption="Table 1. Mood scores of the two groups",
    rows=(("Group", "People", "Score"), ("Enough sleep", "60", "7.8"), ("Too little sleep", "60", "5.1")),
    disclaimer="Disclaimer: This article is for general information only and does not constitute medical advice.",
)


def write(path: Path, data: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def markdown(sample: Sample) -> str:
    header, *rows = sample.rows
    table = ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)]
    parts = [
        f"# {sample.title}",
        *(paragraph for paragraph in sample.paragraphs[:1]),
        f"## {sample.heading}",
        *sample.paragraphs[1:],
        "\n".join(f"* **{item}**" for item in sample.items),
        "\n".join(f"{n}. {step}" for n, step in enumerate(sample.steps, start=1)),
        f"*{sample.caption}*",
        "\n".join(table),
        "![picture](figure.png)",
        sample.disclaimer or "",
    ]
    return "\n\n".join(parts) + "\n"


def plain(sample: Sample) -> str:
    parts = [
        sample.title,
        *sample.paragraphs[:1],
        f"一、{sample.heading}",
        *sample.paragraphs[1:],
        "\n".join(f"• {item}" for item in sample.items),
        "\n".join(f"{n}. {step}" for n, step in enumerate(sample.steps, start=1)),
        sample.caption,
        "\n".join("\t".join(row) for row in sample.rows),
        sample.disclaimer or "",
    ]
    return "\n\n".join(parts) + "\n"


def article_html(sample: Sample) -> str:
    """The article's own elements, without a page."""

    def each(tag: str, texts: Sequence[str]) -> str:
        return "".join(f"<{tag}>{html.escape(text)}</{tag}>\n" for text in texts)

    rows = "".join(f"<tr>{each('th' if n == 0 else 'td', row)}</tr>\n" for n, row in enumerate(sample.rows))
    return f"""<h1>{sample.title}</h1>
{each("p", sample.paragraphs[:1])}<h2>{sample.heading}</h2>
{each("p", sample.paragraphs[1:])}<ul>{each("li", sample.items)}</ul><ol>{each("li", sample.steps)}</ol>
<table><caption>{sample.caption}</caption>{rows}</table>
<figure><img src="figure.png" alt="figure"></figure>
{each("p", [sample.disclaimer] if sample.disclaimer else [])}"""


def page(sample: Sample, *, marked: bool = True) -> str:
    """A web page around the article; with `marked` it says where the article is."""
    opening, closing = ("<article>", "</article>") if marked else ('<div class="x1">', "</div>")
    return f"""<!DOCTYPE html><html><head><meta charset="utf-8"><title>{sample.title} - Daily Site</title>
<style>p {{ color: red }}</style><script>var secret = "script text";</script></head><body>
<div class="top-nav"><a href="/">Front page</a> <a href="/n">News link</a> <a href="/c">Contact link</a></div>
<div class="wrap">{opening}{article_html(sample)}<p style="display:none">hidden text of the page</p>{closing}
<div class="side"><h3>Hot stories</h3><ul><li><a href="a">Ten myths of tea</a></li>
<li><a href="b">Walking to work</a></li><li><a href="c">The joy of soup</a></li></ul></div></div>
<form><input name="q"><button>Search now</button></form><footer>Copyright 2024 Daily Site. All rights reserved.</footer>
</body></html>"""


def docx(sample: Sample) -> bytes:
    import docx as word
    from docx.oxml import OxmlElement

    document = word.Document()
    document.sections[0].header.paragraphs[0].text = "Header of every page"
    document.add_heading(sample.title, level=1)
    for text in sample.paragraphs[:1]:
        document.add_paragraph(text)
    document.add_heading(sample.heading, level=2)
    for text in sample.paragraphs[1:]:
        document.add_paragraph(text)
    for text in sample.items:
        document.add_paragraph(text, style="List Bullet")
    for text in sample.steps:
        document.add_paragraph(text, style="List Number")
    document.add_paragraph(sample.caption, style="Caption")
    table = document.add_table(rows=0, cols=len(sample.rows[0]))
    for row in sample.rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    hidden = document.add_paragraph().add_run("hidden text of the file")
    hidden.font.hidden = True
    deleted = document.add_paragraph("").add_run("deleted text of the file")._r
    mark = OxmlElement("w:del")
    deleted.addprevious(mark)
    mark.append(deleted)
    if sample.disclaimer:
        document.add_paragraph(sample.disclaimer)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def epub(sample: Sample, *, encryption: str | None = None) -> bytes:
    chapter = f"""<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml"><head><title>chapter</title></head><body>{article_html(sample)}</body></html>"""
    nav = """<html xmlns="http://www.w3.org/1999/xhtml"><body>
<nav><ol><li><a href="c.xhtml">Contents entry</a></li></ol></nav></body></html>"""
    package = f"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{sample.title}</dc:title></metadata>
<manifest><item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="c" href="c%201.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="n"/><itemref idref="c"/></spine></package>"""
    container = """<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/p.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
    parts = {
        "META-INF/container.xml": container,
        "OEBPS/p.opf": package,
        "OEBPS/nav.xhtml": nav,
        "OEBPS/c 1.xhtml": chapter.replace(
            '<img src="figure.png" alt="figure">', '<img src="figure.png" alt="figure"/>'
        ),
    }
    if encryption:
        parts["META-INF/encryption.xml"] = (
            '<encryption><EncryptedData><EncryptionMethod Algorithm="' + encryption + '"/></EncryptedData></encryption>'
        )
    return zipped({"mimetype": "application/epub+zip", **parts})


def zipped(parts: dict[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return stream.getvalue()


def fillers(sample: Sample, count: int) -> list[str]:
    """Paragraphs that differ in one number."""
    return [sample.paragraphs[1].replace("120", str(121 + n)) for n in range(count)]


def pdf(sample: Sample, *, password: str | None = None, owner_password: str | None = None, filler: int = 0) -> bytes:
    """A typeset PDF with a running header and page numbers; `filler` numbers so many more paragraphs."""
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

    chinese = not sample.title.isascii()
    font = "STSong-Light" if chinese else "Times-Roman"
    if chinese and font not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(font))
    wrap = "CJK" if chinese else None
    body = ParagraphStyle("body", fontName=font, fontSize=11, leading=16, spaceAfter=9, wordWrap=wrap)
    heads = [ParagraphStyle(f"h{n}", parent=body, fontSize=22 - 5 * n, leading=26 - 5 * n) for n in (0, 1)]
    story = [
        Paragraph(sample.title, heads[0]),
        Paragraph(sample.paragraphs[0], body),
        Paragraph(sample.heading, heads[1]),
    ]
    story += [Paragraph(text, body) for text in (*sample.paragraphs[1:], *fillers(sample, filler))]
    story += [Paragraph(f"{'●' if chinese else '•'} {text}", body) for text in sample.items]
    story += [Paragraph(f"{n}. {text}", body) for n, text in enumerate(sample.steps, start=1)]
    story += [
        Paragraph(sample.caption, body),
        Table([list(row) for row in sample.rows], style=[("FONTNAME", (0, 0), (-1, -1), font)]),
    ]
    story += [Spacer(1, 12), *([Paragraph(sample.disclaimer, body)] if sample.disclaimer else [])]

    def margins(canvas: object, document: object) -> None:
        canvas.setFont(font, 9)  # type: ignore[attr-defined]
        canvas.drawString(72, 810, "Running Header")  # type: ignore[attr-defined]
        canvas.drawCentredString(297, 30, f"- {document.page} -")  # type: ignore[attr-defined]

    encrypt = (
        StandardEncryption(password or "", owner_password or password, strength=128)
        if password or owner_password
        else None
    )
    stream = io.BytesIO()
    document = SimpleDocTemplate(stream, title=sample.title, encrypt=encrypt)
    document.build(story, onFirstPage=margins, onLaterPages=margins)
    return stream.getvalue()


def scan(pages: int = 2) -> bytes:
    """A PDF of pictures alone."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    stream = io.BytesIO()
    canvas = Canvas(stream)
    for shade in range(pages):
        canvas.drawImage(ImageReader(Image.new("L", (60, 80), 200 + shade)), 50, 50, 400, 600)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()
