"""Files of every format become articles that hold what the file says, and those that cannot are refused by name."""

from __future__ import annotations

import io
import os
import re
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from corpus.article import ArticleError, parse
from corpus.ingest import Draft, FileRefusedError, Limits, NoDisclaimerError, guess_language, ingest
from corpus.ingest.blocks import join_lines, unwrap
from tests.corpus.making import (
    EN,
    HANT,
    ZH,
    Sample,
    article_html,
    docx,
    epub,
    fillers,
    markdown,
    page,
    pdf,
    plain,
    scan,
    write,
    zipped,
)

MAKERS: dict[str, Callable[[Sample], str | bytes]] = {
    "md": markdown,
    "txt": plain,
    "html": page,
    "docx": docx,
    "epub": epub,
    "pdf": pdf,
}
SAMPLES = {"zh-Hans": ZH, "zh-Hant": HANT, "en": EN}


def sentences(draft: Draft) -> list[str]:
    return [sentence.text for sentence in parse(draft.text)[1]]


def lines(draft: Draft) -> list[str]:
    return [line for line in draft.text.splitlines() if line]


def ingest_text(tmp_path: Path, name: str, data: str | bytes, disclaimer: str | None = "Not advice.") -> Draft:
    return ingest(write(tmp_path / name, data), disclaimer)


@pytest.mark.parametrize("language", SAMPLES)
@pytest.mark.parametrize("ending", MAKERS)
def test_ingest_keeps_all_that_the_file_says(tmp_path: Path, ending: str, language: str) -> None:
    sample = SAMPLES[language]
    draft = ingest(write(tmp_path / f"x.{ending}", MAKERS[ending](sample)))
    assert [line for line in sample.lines if line not in draft.text] == []
    assert draft.title == sample.title
    assert draft.language == language
    sections, found = parse(draft.text)
    assert [found[n - 1].text for n in draft.disclaimer] == [sample.disclaimer]
    assert sample.title in [section.title for section in sections]
    assert any(section.title.endswith(sample.heading) for section in sections)
    assert draft.summary.tables == 1
    assert draft.summary.table_rows == len(sample.rows)
    assert draft.summary.sentences == len(found)


@pytest.mark.parametrize("ending", MAKERS)
def test_ingest_marks_bullets_and_numbers(tmp_path: Path, ending: str) -> None:
    draft = ingest(write(tmp_path / f"x.{ending}", MAKERS[ending](EN)))
    assert [line for line in lines(draft) if line.startswith("- ")] == [f"- {item}" for item in EN.items]
    assert [line for line in lines(draft) if re.match(r"\d\. ", line)] == [
        f"{n}. {step}" for n, step in enumerate(EN.steps, start=1)
    ]


def test_ingest_of_an_article_that_is_ready_changes_no_sentence() -> None:
    source = Path(__file__).parents[2] / "corpus/articles/msc-depression/article.md"
    assert sentences(ingest(source)) == [s.text for s in parse(source.read_text(encoding="utf-8"))[1]]


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("ending", ["md", "txt", "html"])
def test_ingest_reads_chinese_encodings(tmp_path: Path, ending: str, encoding: str) -> None:
    text = str(MAKERS[ending](ZH)).replace('<meta charset="utf-8">', "")
    draft = ingest(write(tmp_path / f"x.{ending}", text.encode(encoding)))
    assert [line for line in ZH.lines if line not in draft.text] == []
    assert draft.summary.encoding == encoding.removesuffix("-sig")


def test_ingest_reads_big5(tmp_path: Path) -> None:
    draft = ingest(write(tmp_path / "x.txt", plain(HANT).replace("•", "*").encode("big5")))
    assert HANT.paragraphs[0] in draft.text
    assert (draft.summary.encoding, draft.language) == ("big5", "zh-Hant")


def test_ingest_reads_western_text(tmp_path: Path) -> None:
    text = "The café in Zürich was closed – naïve visitors waited. " * 3
    draft = ingest_text(tmp_path, "x.txt", text.encode("cp1252"))
    assert "café in Zürich was closed – naïve" in draft.text


def test_ingest_reads_html_in_the_encoding_it_names(tmp_path: Path) -> None:
    text = page(ZH).replace('charset="utf-8"', 'charset="gb2312"')
    assert ZH.paragraphs[0] in ingest(write(tmp_path / "x.html", text.encode("gbk"))).text


# Web pages


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("sample", [ZH, EN], ids=["zh", "en"])
def test_html_drops_and_counts_the_page_around(tmp_path: Path, sample: Sample, marked: bool) -> None:
    draft = ingest(write(tmp_path / "x.html", page(sample, marked=marked)))
    assert set(sentences(draft)) == {s.text for s in parse(ingest(write(tmp_path / "x.epub", epub(sample))).text)[1]}
    for unwanted in ("Front page", "Hot stories", "Search now", "All rights reserved", "hidden text", "script text"):
        assert unwanted not in draft.text
    assert draft.summary.dropped["boilerplate"] >= 6
    assert draft.summary.dropped["hidden"] == 1
    assert draft.summary.dropped["images"] == 1


def test_html_reads_a_main_element_that_its_own_style_hides(tmp_path: Path) -> None:
    body = f'<div id="js_content" style="visibility: hidden; opacity: 0;">{article_html(ZH)}</div>'
    draft = ingest_text(tmp_path, "x.html", f"<html><body>{body}<div class='qrcode'>扫码关注我们</div></body></html>")
    assert ZH.paragraphs[1] in draft.text
    assert "扫码" not in draft.text


def test_html_finds_the_disclaimer_in_the_footer(tmp_path: Path) -> None:
    text = page(EN).replace(str(EN.disclaimer), "").replace("Copyright 2024", f"{EN.disclaimer} Copyright 2024")
    draft = ingest(write(tmp_path / "x.html", text))
    assert draft.summary.disclaimer == "found around the article"
    assert "does not constitute medical advice" in sentences(draft)[draft.disclaimer[0] - 1]


def test_html_takes_the_title_from_the_page_where_the_article_has_none(tmp_path: Path) -> None:
    text = f"<html><head><title>睡眠研究_健康网</title></head><body><article><p>{ZH.paragraphs[0]}</p></article></body>"
    draft = ingest_text(tmp_path, "x.html", text)
    assert draft.title == "睡眠研究"
    assert lines(draft)[0] == "# 睡眠研究"


def test_html_joins_source_lines_and_splits_at_double_breaks(tmp_path: Path) -> None:
    text = "<p>长期睡眠不足的人\n   更容易焦虑。<br><br>第二段说的是\nREM sleep\n的作用。</p><p>a <b>bold</b>word</p>"
    draft = ingest_text(tmp_path, "x.html", f"<article>{text}</article>")
    assert lines(draft)[:3] == ["长期睡眠不足的人更容易焦虑。", "第二段说的是 REM sleep 的作用。", "a boldword"]


def test_html_reads_a_layout_table_as_text(tmp_path: Path) -> None:
    inner = "<table><tr><td>A</td><td>1</td></tr></table>"
    text = f"<table><tr><td><h2>Part</h2><p>{EN.paragraphs[0]}</p>{inner}</td><td>side</td></tr></table>"
    draft = ingest_text(tmp_path, "x.html", f"<article>{text}</article>")
    assert lines(draft)[:3] == ["## Part", EN.paragraphs[0], "A | 1"]


# Markdown and text


def test_markdown_leaves_the_words_of_its_marks(tmp_path: Path) -> None:
    text = (
        "---\ntitle: 'From the front'\n---\nA **bold** [link](http://x) and `code` <b>tag</b>.\n\n#1 is no heading.\n"
    )
    draft = ingest_text(tmp_path, "x.md", text)
    assert draft.title == "From the front"
    assert lines(draft)[:2] == ["A bold link and code tag.", "#1 is no heading."]


def test_markdown_keeps_one_paragraph_a_line_and_joins_broken_sentences(tmp_path: Path) -> None:
    draft = ingest_text(
        tmp_path, "x.md", "第一段说完了。\n第二段说到\n一半断行。\n\nAn English line that\nbreaks off. Done.\n"
    )
    assert lines(draft)[:3] == ["第一段说完了。", "第二段说到一半断行。", "An English line that breaks off. Done."]


def test_text_with_a_hash_at_the_start_is_no_heading(tmp_path: Path) -> None:
    draft = ingest_text(tmp_path, "x.txt", "Some words come first here.\n\n# not a heading, said the text.\n")
    assert "#not a heading, said the text." in sentences(draft)


def test_text_joins_lines_cut_at_a_margin() -> None:
    wrapped = [
        "People who sleep too little for a long time feel anxious and low more often, a",
        "fact that several surveys have found, and the shorter the night is, the clear-",
        "er the effect is in what people say. This is what the volunteers themselves do",
        "not notice.",
    ]
    assert unwrap(wrapped) == [
        "People who sleep too little for a long time feel anxious and low more often, a fact that several surveys have "
        "found, and the shorter the night is, the clearer the effect is in what people say. This is what the "
        "volunteers themselves do not notice."
    ]


def test_text_keeps_lines_that_stand_alone() -> None:
    verse = ["床前明月光", "疑是地上霜", "举头望明月", "低头思故乡"]
    assert unwrap(["第一段。", "第二段。"]) == ["第一段。", "第二段。"]
    assert unwrap(["1. wash", "2. rinse", "3. dry"]) == ["1. wash", "2. rinse", "3. dry"]
    assert "".join(unwrap(verse)) == "".join(verse)


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("神经", "炎症", "神经炎症"),
        ("inflam-", "mation", "inflammation"),
        ("the TNF-", "α level", "the TNF-α level"),
        ("hUC-", "MSC", "hUC-MSC"),
        ("two", "words", "two words"),
        ("使用", "MSC", "使用 MSC"),
    ],
)
def test_join_lines(first: str, second: str, joined: str) -> None:
    assert join_lines([first, second]) == joined


def test_join_lines_keeps_a_hyphen_that_the_text_has_elsewhere() -> None:
    assert join_lines(["a long-", "term effect"], {"long-term"}) == "a long-term effect"
    assert join_lines(["a trans-", "plant"], {"transplant", "trans-plant"}) == "a transplant"


def test_text_knows_headings_from_lists(tmp_path: Path) -> None:
    parts = ["关于睡眠", "一、背景", "正文在这里。", "二、结果", "结果也在这里。", "1. 甲事项", "2. 乙事项"]
    draft = ingest_text(tmp_path, "x.txt", "\n\n".join(parts), "仅供参考。")
    headings = [line for line in lines(draft) if line.startswith("#")]
    assert headings[:3] == ["# 关于睡眠", "## 一、背景", "## 二、结果"]
    assert "1. 甲事项" in lines(draft)


# Word, EPUB


def test_docx_leaves_out_hidden_and_deleted_text_and_page_headers(tmp_path: Path) -> None:
    draft = ingest(write(tmp_path / "x.docx", docx(EN)))
    for unwanted in ("hidden text", "deleted text", "Header of every page"):
        assert unwanted not in draft.text
    assert draft.summary.dropped == {"hidden": 1, "page headers and footers": 1}
    assert draft.summary.captions == 1


def test_docx_reads_tracked_insertions_and_content_controls(tmp_path: Path) -> None:
    import docx as word
    from docx.oxml import parse_xml

    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    document = word.Document()
    document.add_paragraph("Seed.")._p.addnext(
        parse_xml(
            f"<w:sdt {space}><w:sdtContent><w:p><w:r><w:t>Inside a control, </w:t></w:r>"
            "<w:ins><w:r><w:t>words were inserted.</w:t></w:r></w:ins></w:p></w:sdtContent></w:sdt>"
        )
    )
    stream = io.BytesIO()
    document.save(stream)
    assert "Inside a control, words were inserted." in sentences(ingest_text(tmp_path, "x.docx", stream.getvalue()))


def test_epub_leaves_out_its_contents_and_reads_books_with_masked_fonts(tmp_path: Path) -> None:
    draft = ingest(write(tmp_path / "x.epub", epub(EN, encryption="http://www.idpf.org/2008/embedding")))
    assert "Contents entry" not in draft.text
    assert draft.summary.dropped["tables of contents"] == 1


# PDF


@pytest.mark.parametrize("sample", [ZH, EN], ids=["zh", "en"])
def test_pdf_drops_headers_and_numbers_and_joins_lines(tmp_path: Path, sample: Sample) -> None:
    draft = ingest(write(tmp_path / "x.pdf", pdf(sample, filler=30)))
    assert "Running Header" not in draft.text
    assert not re.search(r"^- \d+ -$", draft.text, re.MULTILINE)
    assert all(text in draft.text for text in (*sample.lines, *fillers(sample, 30)))
    assert sum(text in lines(draft) for text in fillers(sample, 30)) >= 28
    assert draft.summary.dropped["page headers, footers and numbers"] >= 4


@pytest.mark.parametrize("chinese", [True, False], ids=["zh", "en"])
def test_pdf_reads_one_column_after_the_other(tmp_path: Path, chinese: bool) -> None:
    draft = ingest_text(tmp_path, "x.pdf", two_columns(chinese))
    numbers = [int(n) for n in re.findall(r"第(\d+)段开始" if chinese else r"Part (\d+) begins", draft.text)]
    assert list(dict.fromkeys(numbers)) == sorted(numbers[::3]) == list(range(12))
    assert all(line in draft.text for line in column_sentences(chinese))


def column_sentences(chinese: bool) -> list[str]:
    if chinese:
        return [
            f"第{n}段开始，这是一个比较长的中文段落，用来检查双栏排版时的阅读顺序是否正确，到此为止。"
            for n in range(12)
        ]
    return [
        f"Part {n} begins with a rather long sentence that checks whether two columns are read one after the other."
        for n in range(12)
    ]


def two_columns(chinese: bool) -> bytes:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph

    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    font = "STSong-Light" if chinese else "Times-Roman"
    style = ParagraphStyle(
        "b",
        fontName=font,
        fontSize=10,
        leading=13,
        firstLineIndent=20,
        alignment=4,
        wordWrap="CJK" if chinese else None,
    )

    def title(canvas: object, document: object) -> None:
        canvas.setFont(font, 22)  # type: ignore[attr-defined]
        canvas.drawString(60, 760, "双栏文章的标题写在这里" if chinese else "A title above both columns")  # type: ignore[attr-defined]

    stream = io.BytesIO()
    document = BaseDocTemplate(stream, pagesize=(595, 842))
    frames = [Frame(60, 400, 220, 300), Frame(310, 400, 220, 300)]
    document.addPageTemplates(PageTemplate(frames=frames, onPage=title))
    document.build([Paragraph(text * 3, style) for text in column_sentences(chinese)])
    return stream.getvalue()


def test_pdf_that_only_forbids_changes_is_read(tmp_path: Path) -> None:
    assert EN.paragraphs[0] in ingest(write(tmp_path / "x.pdf", pdf(EN, owner_password="owner"))).text


# Disclaimers


@pytest.mark.parametrize(
    "text",
    [
        "本文仅供参考，请遵医嘱。",
        "以上内容不能替代医生的专业建议。",
        "文中內容不構成任何診斷建議。",
        "【免责声明】内容来自网络。",
        "This page is not a substitute for professional medical advice.",
        "It is for informational purposes only.",
        "Nothing here is intended as advice and it should not be used as medical advice.",
    ],
)
def test_disclaimer_is_found(tmp_path: Path, text: str) -> None:
    draft = ingest(write(tmp_path / "x.md", f"# Title\n\nBody text is here.\n\n{text}\n\nThe end of it.\n"))
    assert [sentences(draft)[n - 1] for n in draft.disclaimer] == [text]
    assert draft.summary.disclaimer == "found"


@pytest.mark.parametrize(
    "text",
    [
        "睡眠不足不会构成危险。",
        "The drug is not effective. Advice was given to all.",
        "The disclaimer effect is well known.",
    ],
)
def test_disclaimer_is_asked_for_where_there_is_none(tmp_path: Path, text: str) -> None:
    file = write(tmp_path / "none.md", f"# Title\n\n{text}\n")
    with pytest.raises(NoDisclaimerError, match=r"none\.md: expected a disclaimer .* --disclaimer"):
        ingest(file)


def test_disclaimer_under_its_own_heading_is_taken_whole(tmp_path: Path) -> None:
    text = "# T\n\nBody one.\n\n## Disclaimer\n\nAsk your doctor. We are not liable.\n\n## Sources\n\nA book.\n"
    draft = ingest(write(tmp_path / "x.md", text))
    assert [sentences(draft)[n - 1] for n in draft.disclaimer] == ["Ask your doctor.", "We are not liable."]


def test_disclaimer_that_is_given_is_marked_as_given(tmp_path: Path) -> None:
    draft = ingest(write(tmp_path / "x.md", "# 标题\n\n正文在这里。\n"), "本文由编辑部提供。\n请咨询医生。")
    assert [sentences(draft)[n - 1] for n in draft.disclaimer] == ["本文由编辑部提供。", "请咨询医生。"]
    assert "## 免责声明（由资料提供者填写，非原文内容）" in lines(draft)
    assert draft.summary.disclaimer == "given"


def test_disclaimer_of_the_text_goes_before_one_that_is_given(tmp_path: Path) -> None:
    draft = ingest(write(tmp_path / "x.md", markdown(ZH)), "Given.")
    assert "Given." not in draft.text


# Refusals


BROKEN: dict[str, tuple[str, str | bytes, str]] = {
    "empty": ("x.md", "", "found an empty file"),
    "blank": ("x.txt", " \n\t\n", "found an empty file"),
    "no sentences": ("x.md", "# Title\n\n## Another\n\n---\n\n42\n", "expected at least one sentence"),
    "no words": ("x.txt", "。。。 !!! ---\n", "expected at least one sentence"),
    "page without text": ("x.html", "<html><body><img src=x></body></html>", "expected at least one sentence"),
    "unknown": ("x.xyz", "words", r"expected one of Markdown, text, HTML, DOCX, PDF, EPUB .* '.xyz'"),
    "no ending": ("README", "words", "a name without an ending"),
    "binary": ("x.txt", b"words\x00\x01\x02", "binary data"),
    "wrong encoding": ("x.txt", bytes(range(128, 256)) * 20, "expected UTF-8 or GB18030"),
    "broken UTF-16": ("x.txt", b"\xff\xfea", "expected utf-16"),
    "old Word": ("x.doc", bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600, "Office file of before 2007"),
    "locked Word": (
        "x.docx",
        bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"),
        "found encryption",
    ),
    "cut Word": ("x.docx", docx(EN)[:4000], "expected a whole DOCX file"),
    "no Word": ("x.docx", b"just text", "expected a whole DOCX file"),
    "hollow Word": ("x.docx", zipped({"word/document.xml": "<x/>"}), "expected a whole DOCX file"),
    "other zip": ("x.zip", zipped({"a.txt": "words"}), "another kind of zip"),
    "locked book": ("x.epub", epub(EN, encryption="http://www.w3.org/2001/04/xmlenc#aes256-cbc"), "copy protection"),
    "hollow book": ("x.epub", zipped({"META-INF/container.xml": "<container/>"}), "expected the package file"),
    "cut book": ("x.epub", epub(EN)[:-300], "expected a whole EPUB file"),
    "scan": ("x.pdf", scan(), r"2 scanned pages .* run OCR"),
    "locked PDF": ("x.pdf", pdf(EN, password="secret"), "found encryption"),
    "cut PDF": ("x.pdf", pdf(EN)[:700], "expected"),
    "no PDF": ("x.pdf", b"just text", "expected a PDF"),
    "hollow PDF": ("x.pdf", b"%PDF-1.7\n%%EOF\n", "expected"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_ingest_refuses_by_name(tmp_path: Path, case: str) -> None:
    name, data, problem = BROKEN[case]
    file = write(tmp_path / name, data)
    with pytest.raises(FileRefusedError, match=problem) as refusal:
        ingest(file, "Not advice.")
    assert str(refusal.value).startswith(f"{file}: expected")
    assert isinstance(refusal.value, ArticleError)


def test_ingest_refuses_what_is_no_regular_file(tmp_path: Path) -> None:
    target = write(tmp_path / "x.md", markdown(EN))
    (tmp_path / "link.md").symlink_to(target)
    os.mkfifo(tmp_path / "pipe.md")
    for name, problem in (
        ("link.md", "symbolic link"),
        ("pipe.md", "regular file"),
        ("gone.md", "No such file"),
        (".", "folder"),
    ):
        with pytest.raises(FileRefusedError, match=problem):
            ingest(tmp_path / name)


@pytest.mark.parametrize(
    ("limits", "ending", "problem"),
    [
        (Limits(file_bytes=100), "md", "expected at most 100 bytes, found"),
        (Limits(text_bytes=100), "md", "expected at most 100 bytes of text, found"),
        (Limits(expanded_bytes=1000), "docx", "expected at most 1000 bytes when unpacked, found"),
        (Limits(expanded_bytes=1000), "epub", "expected at most 1000 bytes when unpacked, found"),
        (Limits(part_bytes=100), "docx", "expected at most 100 bytes in one part"),
        (Limits(part_bytes=100), "pdf", "expected at most 100 bytes when unpacked"),
        (Limits(parts=3), "epub", "expected at most 3 parts inside, found 5"),
        (Limits(pages=0), "pdf", "expected at most 0 pages"),
    ],
)
def test_ingest_refuses_what_is_over_a_limit(tmp_path: Path, limits: Limits, ending: str, problem: str) -> None:
    with pytest.raises(FileRefusedError, match=problem):
        ingest(write(tmp_path / f"x.{ending}", MAKERS[ending](EN)), limits=limits)


@pytest.mark.parametrize("name", ["bomb.docx", "bomb.epub", "bomb.pdf"])
def test_ingest_refuses_a_bomb_without_unpacking_it(tmp_path: Path, name: str) -> None:
    zeros = b"\0" * 300_000_000
    if name.endswith("pdf"):
        packed = zlib.compress(zeros)
        data = b"%PDF-1.4\n1 0 obj\n<</Length 9/Filter/FlateDecode>>\nstream\n" + packed + b"\nendstream\nendobj\n%%EOF"
    else:
        kind = "word/document.xml" if name.endswith("docx") else "META-INF/container.xml"
        data = zipped({kind: "<x/>", "large.xml": zeros})
    assert len(data) < 1_000_000
    started = time.process_time()
    with pytest.raises(FileRefusedError, match="bytes when unpacked"):
        ingest(write(tmp_path / name, data))
    assert time.process_time() - started < 5


def test_ingest_does_not_follow_entities(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.txt", "the secret words")
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>'
    chapter = f"{entity}<html><body><p>Before &e; after, a sentence.</p></body></html>"
    container = '<container><rootfile full-path="p.opf"/></container>'
    package = (
        f"{entity}<package><title>T &e;</title><manifest><item id='c' href='c.html' media-type='text/html'/></manifest>"
        "<spine><itemref idref='c'/></spine></package>"
    )
    book = zipped({"META-INF/container.xml": container, "p.opf": package, "c.html": chapter})
    draft = ingest_text(tmp_path, "x.epub", book)
    assert "secret words" not in draft.text + draft.title


def test_ingest_survives_deep_nesting(tmp_path: Path) -> None:
    text = "<div>" * 20_000 + "<p>A sentence deep inside.</p>"
    with pytest.raises(FileRefusedError, match="expected"):
        ingest_text(tmp_path, "x.html", text, None)


ADVERSARIAL = {
    "spaces": " " * 50_000,
    "lines": "\n" * 50_000,
    "lines of one letter": "a\n" * 25_000,
    "wrapped lines": "a line that ends in a hyph-\n" * 2_000,
    "Han and lines": "汉\n \n" * 12_500,
    "full stops": "." * 50_000,
    "dotted leaders": ". " * 25_000,
    "closers": "。" + "”" * 50_000,
    "numbers": "1." * 25_000,
    "hashes": "# " * 25_000,
    "brackets": "[" * 50_000,
    "marks": "*_`" * 16_000,
    "quotes": "> " * 25_000,
    "tables": "|-" * 25_000,
    "tags": "<b>" * 16_000,
    "not": "does not " * 5_500,
    "disclaimers": "免责声明" * 12_500,
    "front matter": "---\ntitle: a" + " " * 50_000 + "b\n---\n",
    "zero widths": "\u200b" * 50_000,
    "combining": "e" + "\u0301" * 50_000,
    "surrogates of another kind": "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") * 25_000,
}


@pytest.mark.parametrize("ending", ["md", "txt", "html"])
@pytest.mark.parametrize("case", ADVERSARIAL)
def test_ingest_takes_no_time_over_adversarial_text(tmp_path: Path, case: str, ending: str) -> None:
    text = f"First words.{ADVERSARIAL[case]}x\n\nLast words.\n"
    file = write(tmp_path / f"x.{ending}", text)
    started = time.process_time()
    if case == "tags" and ending != "txt":
        with pytest.raises(FileRefusedError, match="nest"):
            ingest(file, "Not advice.")
    else:
        text = ingest(file, "Not advice.").text
        assert (text.count("irst words"), text.count("ast words")) == (1, 1)
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("睡眠与情绪的关系，见 Sleep 杂志。", "zh-Hans"),
        ("睡眠與情緒的關係", "zh-Hant"),
        ("The word 睡眠 means sleep in Chinese writing.", "en"),
        ("", "en"),
    ],
)
def test_guess_language(text: str, language: str) -> None:
    assert guess_language(text) == language
