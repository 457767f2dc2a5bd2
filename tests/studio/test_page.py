"""The page in a real browser, driven as a person would; what it looks like is kept in build/screens."""

import json
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from gan_folders import trained_on_attributes
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from vitrail.attributions import DEFAULT_METHOD
from vitrail.datasets.sample_images import sample_images

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCREENS = Path(__file__).parents[2] / "build" / "screens"
TABS = ("Explain", "Attack", "Visualise", "Check images", "Train a classifier", "GANs", "Runs")
LONG = 120_000  # milliseconds

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Visit:
    """One window: what it showed, and what went wrong in it."""

    def __init__(self, browser, address, **options):
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.faults, self.outside = [], []
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)
        self.address = address
        self.page.goto(address)
        expect(self.page.locator("#summary")).to_contain_text("on this machine", timeout=LONG)

    def _asked(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.outside.append(request.url)

    def _answered(self, response):
        if response.status >= 400:
            self.faults.append(f"{response.status} {response.request.method} {response.url}")

    def tab(self, name):
        self.page.get_by_role("tab", name=name, exact=True).first.click()
        panel = self.page.get_by_role("tabpanel").filter(visible=True).first
        expect(panel).to_be_visible()
        return panel

    def state(self, panel, number=0):
        return panel.locator(".status .state").nth(number)

    def keep(self, name):
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENS / f"{name}.png", full_page=True)

    def choose(self, panel, label, value):
        field = panel.get_by_label(label, exact=True).first
        field.click()
        field.fill(value)
        field.press("Enter")


@pytest.fixture
def visit(browser, studio):
    opened = Visit(browser, studio.address, viewport={"width": 1280, "height": 900})
    yield opened
    opened.context.close()
    assert not opened.faults
    assert not opened.outside


def press(panel, verb):
    """Presses a button, and once more if nothing has come of it: on a loaded machine gradio can lose a click."""
    said = " | ".join(panel.locator(".status, .results").all_inner_texts())
    for _ in range(3):
        panel.get_by_role("button", name=verb, exact=True).click()
        for _ in range(40):
            panel.page.wait_for_timeout(250)
            if " | ".join(panel.locator(".status, .results").all_inner_texts()) != said:
                return


def drop(panel, path):
    panel.locator("input[type=file]").first.set_input_files(path)
    expect(panel.get_by_role("button", name="Remove Image").first).to_be_visible()


def cat():
    return sample_images()[0]


def test_explain_shows_classes_and_maps_with_the_opacity_of_the_slider(visit):
    panel = visit.tab("Explain")
    press(panel, "Explain")
    expect(visit.state(panel)).to_contain_text("No image was given")
    drop(panel, cat())
    visit.choose(panel, "Network", "squeezenet")
    other = "gradient" if DEFAULT_METHOD != "gradient" else "grad-cam"
    expect(panel.get_by_label(DEFAULT_METHOD, exact=True)).to_be_checked()
    panel.get_by_label(other, exact=True).check()
    press(panel, "Explain")
    expect(visit.state(panel)).to_have_text(re.compile("Done"), timeout=LONG)
    expect(panel.locator(".bars li")).to_have_count(5)
    expect(panel.locator(".bars li").first).to_contain_text("%")
    expect(panel.locator(".stack")).to_have_count(2)
    expect(panel.locator("figcaption").first).to_contain_text("deletion")
    expect(panel.locator("figcaption").first).to_contain_text("than chance")
    visit.keep("explain")
    over = panel.locator(".stack .over").first
    opacity = panel.get_by_label("Opacity of the maps").last
    opacity.focus()
    opacity.press("Home")
    expect(over).to_have_css("opacity", "0")
    opacity.press("End")
    expect(over).to_have_css("opacity", "1")


@pytest.mark.slow
def test_an_attack_moves_live_and_its_file_is_what_the_verdict_says(visit, tmp_path):
    panel = visit.tab("Attack")
    drop(panel, cat())
    visit.choose(panel, "Network", "squeezenet")
    visit.choose(panel, "Target class", "tarantula")
    visit.choose(panel, "Attack", "minimal-l2")
    press(panel, "Attack")
    expect(panel.get_by_alt_text("Perturbation, magnified")).to_be_visible(timeout=LONG)
    visit.keep("attack_live")
    expect(visit.state(panel)).to_have_text(re.compile("Done"), timeout=LONG)
    expect(panel.locator(".verdict")).to_contain_text("classified as tarantula")
    expect(panel.locator(".curve")).to_be_visible()
    with visit.page.expect_download() as download:
        panel.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "adversarial.png")
    with Image.open(tmp_path / "adversarial.png") as adversarial, Image.open(cat()) as before:
        assert adversarial.size == before.size
        assert adversarial.format == "PNG"
    visit.keep("attack")


@pytest.mark.slow
def test_visualise_grows_and_is_stopped_with_what_there_is(visit):
    panel = visit.tab("Visualise")
    visit.choose(panel, "Network", "squeezenet")
    press(panel, "Visualise")
    expect(panel.get_by_alt_text("tarantula")).to_be_visible(timeout=LONG)
    visit.keep("visualise_live")
    panel.get_by_role("button", name="Stop", exact=True).click()
    expect(visit.state(panel)).to_have_text(re.compile("stopped early"), timeout=LONG)
    expect(panel.locator("figcaption").first).to_contain_text("tarantula: ")
    visit.keep("visualise")


@pytest.mark.slow
def test_a_classifier_is_trained_and_explained(visit, studio):
    panel = visit.tab("Train a classifier")
    folder = panel.get_by_label("Folder of class folders")
    folder.fill("/etc")
    press(panel, "Train")
    expect(visit.state(panel)).to_contain_text("outside the folders")
    folder.fill(str(studio.stripes))
    press(panel, "Train")
    expect(visit.state(panel)).to_have_text(re.compile("Done"), timeout=LONG)
    expect(panel.locator(".verdict")).to_contain_text("on 12 images")
    expect(panel.locator(".summary")).to_contain_text("36 images of 3 classes (train 24, test 12)")
    expect(panel.get_by_alt_text("Confusion matrix of the test part")).to_be_visible()
    visit.keep("train")
    panel.get_by_role("button", name="Use this classifier").click()
    explain = visit.page.get_by_role("tabpanel").filter(visible=True).first
    expect(explain.get_by_label("Network", exact=True)).to_have_value(re.compile("transfer-"))
    drop(explain, next((studio.stripes / "test" / "down").iterdir()))
    press(explain, "Explain")
    expect(visit.state(explain)).to_have_text(re.compile("Done"), timeout=LONG)
    expect(explain.locator(".bars li").first).to_contain_text("down")


def test_images_are_checked_and_the_suspects_left_out_of_a_training(visit, studio, tmp_path):
    data = studio.stripes.parent / f"copied-{tmp_path.name}"
    shutil.copytree(studio.stripes, data)
    for name in ("again", "once more"):
        shutil.copy(data / "train" / "noise" / "0.png", data / "train" / "noise" / f"{name}.png")
    panel = visit.tab("Check images")
    folder = panel.get_by_label("Folder of images, with or without classes")
    folder.fill("/etc")
    press(panel, "Check")
    expect(visit.state(panel)).to_contain_text("outside the folders")
    folder.fill(str(data))
    press(panel, "Check")
    expect(visit.state(panel)).to_have_text(re.compile("Done"), timeout=LONG)
    expect(panel.locator(".prose.results")).to_contain_text("38 images of 3 classes (train 26, test 12)")
    expect(panel.get_by_alt_text(re.compile("Copies, side by side"))).to_be_visible()
    visit.keep("check")
    panel = visit.tab("Train a classifier")
    panel.get_by_label("Folder of class folders").fill(str(data))
    leave_out = panel.get_by_label("Leave out")
    leave_out.click()
    visit.page.get_by_role("option", name=re.compile("check-")).first.click()
    press(panel, "Train")
    expect(visit.state(panel)).to_have_text(re.compile("Done"), timeout=LONG)
    made = max(studio.runs.glob("transfer-*"), key=lambda path: path.stat().st_mtime)
    left_out = json.loads((made / "result.json").read_text())["data"]["left_out"]
    assert left_out["listed in suspects.csv"] >= 2


@pytest.mark.slow
def test_a_zip_is_trained_on_and_the_run_repeated(visit, studio, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "stripes"), "zip", studio.stripes / "train")
    panel = visit.tab("Train a classifier")
    panel.locator("input[type=file]").first.set_input_files(archive)
    expect(panel.get_by_role("cell", name="stripes.zip")).to_be_visible(timeout=LONG)
    press(panel, "Train")
    expect(visit.state(panel)).to_have_text(re.compile("Done"), timeout=LONG)
    expect(panel.locator(".verdict")).to_contain_text("Test accuracy")
    made = max(studio.runs.glob("transfer-*"), key=lambda path: path.stat().st_mtime)
    panel = visit.tab("Runs")
    panel.get_by_role("button", name="Refresh the list").click()
    clear = panel.get_by_role("button", name="Clear")
    if clear.count():
        clear.first.click()
    visit.choose(panel, "Runs", str(made))
    panel.get_by_role("tab", name="Repeat").click()
    panel.get_by_role("button", name="Repeat this run").click()
    expect(panel.get_by_text("Done.")).to_be_visible(timeout=LONG)
    expect(panel.get_by_text(re.compile("equal", re.I)).first).to_be_visible()


def test_names_of_classes_are_text_and_nothing_else(visit, studio):
    evil = "<script>alert(1)</script>"
    folder = studio.stripes.parent / "evil"
    for name in ("<img src=x onerror=alert(2)>", evil.replace("/", "∕")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(6):
            shade = 40 if name.startswith("<img") else 200
            Image.new("L", (32, 32), shade + number).save(folder / name / f"{number}.png")
    panel = visit.tab("Train a classifier")
    panel.get_by_label("Folder of class folders").fill(str(folder))
    press(panel, "Train")
    expect(visit.state(panel)).to_have_text(re.compile("Done"), timeout=LONG)
    expect(panel.locator("table").first).to_contain_text("<img src=x onerror=alert(2)>")


@pytest.mark.slow
def test_a_gan_is_followed_and_sampled(visit):
    panel = visit.tab("GANs")
    panel.get_by_label("Epochs").fill("3")
    press(panel, "Train")
    expect(visit.state(panel)).to_contain_text("gan train", timeout=LONG)
    expect(panel.get_by_text("This run is finished.")).to_be_visible(timeout=LONG)
    expect(panel.locator(".curve").first).to_be_visible()
    expect(panel).to_contain_text("Fréchet distance")
    epoch = panel.locator("input[type=range]").first
    expect(panel.get_by_alt_text(re.compile("Samples after epoch 3"))).to_be_visible()
    epoch.focus()
    epoch.press("Home")
    expect(panel.get_by_alt_text(re.compile("Samples after epoch 1"))).to_be_visible()
    visit.keep("gans")
    panel.get_by_label(re.compile("e.g. Male=1")).fill("3")
    panel.get_by_role("button", name="Sample", exact=True).click()
    expect(panel.get_by_alt_text(re.compile("from seed 0 on"))).to_be_visible(timeout=LONG)
    panel.get_by_role("tab", name="Interpolate").click()
    panel.get_by_role("button", name="Interpolate", exact=True).click()
    expect(panel.get_by_alt_text("Animation")).to_be_visible(timeout=LONG)
    visit.keep("gan_interpolate")


@pytest.mark.slow
def test_a_run_of_the_command_line_is_watched(visit, studio):
    options = ["--epochs", "1", "--width", "8", "--batch", "64", "--cache", studio.home / "cache" / "vitrail"]
    command = [sys.executable, "-m", "vitrail", "gan", "train", "digits", *options, "--run", studio.runs / "beside"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    panel = visit.tab("GANs")
    visit.choose(panel, "Training run", str(studio.runs / "beside"))
    expect(panel.get_by_text("This run is finished.")).to_be_visible(timeout=LONG)


def test_runs_are_shown_and_taken_home(classifiers, visit, tmp_path):
    panel = visit.tab("Runs")
    press(panel, "Show")
    expect(panel.locator(".results .highlights").first).to_be_visible(timeout=LONG)
    panel.get_by_role("button", name="Compare these runs").click()
    expect(visit.state(panel, 1)).to_contain_text("at least two runs")
    panel.get_by_role("button", name="Make a report").click()
    expect(panel.locator(".verdict")).to_contain_text("in one file")
    with visit.page.expect_download() as download:
        panel.get_by_role("button", name="Download the report").click()
    download.value.save_as(tmp_path / "report.html")
    assert "<!doctype html>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    visit.keep("runs")


def test_two_windows_of_one_person_show_the_same_runs(browser, studio):
    one, other = (Visit(browser, studio.address) for _ in range(2))
    before = {path.name for path in studio.runs.iterdir()}
    panel = one.tab("Explain")
    drop(panel, cat())
    one.choose(panel, "Network", "squeezenet")
    press(panel, "Explain")
    expect(one.state(panel)).to_have_text(re.compile("Done"), timeout=LONG)
    made = {path.name for path in studio.runs.iterdir()} - before
    assert len(made) == 2
    for visit in (one, other):
        panel = visit.tab("Runs")
        panel.get_by_role("button", name="Refresh the list").click()
        panel.get_by_label("Runs", exact=True).click()
        names = " ".join(visit.page.get_by_role("option").all_inner_texts())
        assert all(name in names for name in made)
        visit.context.close()


def test_only_networks_of_this_machine_are_opened(visit):
    panel = visit.tab("Explain")
    drop(panel, cat())
    visit.choose(panel, "Network", "/etc/networks")
    press(panel, "Explain")
    expect(visit.state(panel)).to_contain_text("is not a network on this machine")


@pytest.mark.slow
def test_attributes_have_sliders_that_edit_a_image(visit, studio, tmp_path):
    home = trained_on_attributes(tmp_path)
    shutil.copytree(home / "run", studio.runs / "attributes")
    panel = visit.tab("GANs")
    visit.choose(panel, "Training run", str(studio.runs / "attributes"))
    panel.get_by_role("tab", name="Edit").click()
    expect(panel.get_by_text("bright", exact=True)).to_be_visible(timeout=LONG)
    expect(panel.get_by_text("across", exact=True)).to_be_visible()
    press(panel, "Edit")
    expect(panel.get_by_text("All attributes are unchanged")).to_be_visible()
    drop(panel, home / "data" / "images" / "01.png")
    bright = panel.locator("input[type=range]").filter(visible=True).nth(1)  # after the slider over epochs
    bright.focus()
    bright.press("Home")
    press(panel, "Edit")
    expect(panel.get_by_text("Done.")).to_be_visible(timeout=LONG)
    made = max(studio.runs.glob("gan-edit-*"), key=lambda path: path.stat().st_mtime)
    settings = json.loads((made / "settings.json").read_text())["settings"]
    assert (settings["attributes"], settings["strength"]) == (["bright=0"], 2)
    visit.keep("edit")


def test_classifiers_are_compared(classifiers, visit):
    panel = visit.tab("Runs")
    panel.get_by_role("button", name="Clear").click()
    chosen = panel.get_by_role("button", name=re.compile("^Remove "))
    expect(chosen).to_have_count(0)
    for number, run in enumerate(classifiers, 1):
        visit.choose(panel, "Runs", str(run))
        expect(chosen).to_have_count(number)
    panel.get_by_role("button", name="Compare these runs").click()
    expect(panel.get_by_text("Done.")).to_be_visible(timeout=LONG)
    expect(panel.locator("table").first).to_contain_text("squeezenet")
    visit.keep("compare")


@pytest.mark.slow
def test_a_run_outlives_its_tab_and_is_stopped_from_another(browser, studio):
    first = Visit(browser, studio.address)
    panel = first.tab("GANs")
    panel.get_by_label("Epochs").fill("500")
    press(panel, "Train")
    expect(first.state(panel)).to_contain_text("gan train", timeout=LONG)
    first.context.close()
    second = Visit(browser, studio.address)
    panel = second.tab("Runs")
    expect(panel.locator(".jobs")).to_contain_text("gan train", timeout=LONG)
    panel.get_by_role("button", name="Stop this job").click()
    expect(panel.locator(".jobs")).to_contain_text("No job is running", timeout=LONG)
    second.context.close()


def test_it_can_be_used_by_keyboard_alone(visit):
    panel = visit.tab("Explain")
    panel.get_by_role("button", name="Explain", exact=True).focus()
    visit.page.keyboard.press("Enter")
    expect(visit.state(panel)).to_contain_text("No image was given")
    first, second = (visit.page.get_by_role("tab", name=name, exact=True).first for name in TABS[:2])
    first.focus()
    visit.page.keyboard.press("ArrowRight")
    expect(second).to_be_focused()
    expect(second).to_have_attribute("aria-selected", "true")
    expect(first).to_have_attribute("aria-selected", "false")
    expect(visit.page.get_by_role("tabpanel").filter(visible=True).first).to_contain_text("Target class")


def test_a_narrow_window_has_no_sideways_scrolling(browser, studio):
    narrow = Visit(browser, studio.address, viewport={"width": 390, "height": 844})
    wide = narrow.page.evaluate("document.documentElement.scrollWidth")
    narrow.keep("narrow")
    narrow.context.close()
    assert wide <= 391


QUICK = ("Explain", "Runs")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in TABS]
)
def test_axe_finds_nothing_serious(visit, name):
    visit.tab(name)
    found = Axe().run(visit.page).response["violations"]
    serious = [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]
    assert not serious


MARKUP = ('<img src=x onerror="alert(1)">', "<script>alert(2)</script>", "'\"><svg onload=alert(3)>", "{{7*7}}${7*7}")


def hostile_run(runs, number, markup):
    """A finished run folder with markup wherever a text can stand."""
    name = markup.replace("/", "∕")
    folder = runs / f"transfer-{number}-{name}"
    for part in ("plots", "images", "tables", "weights"):
        (folder / part).mkdir(parents=True)
    values = {name: markup, "nested": {markup: [markup, {markup: markup}]}, "classes": [markup]}
    (folder / "settings.json").write_text(json.dumps({"task": "transfer", "settings": {"folder": markup, **values}}))
    (folder / "environment.json").write_text(json.dumps({"vitrail": markup, **values}))
    result = {"test": {"accuracy": 0.5, "n": 3}, "choice": {"layer": markup, "head": markup, "C": markup}, **values}
    result |= {"backbone": [{"name": markup}], "images": [{markup: markup}], "skipped": [{"file": markup}]}
    (folder / "result.json").write_text(json.dumps(result))
    lines = [
        {"event": "note", "text": markup, "kind": markup},
        {"event": "plot", "file": f"plots/{name}.png", "caption": markup},
        {"event": "image", "file": f"images/{name}.png", "caption": markup, "group": markup, "step": 1},
        {"event": "table", "file": f"tables/{name}.csv", "title": markup},
        {"event": "progress", "stage": markup, "done": 1, "total": 2, "detail": markup, "values": {markup: 1.0}},
        {"event": "summary", "lines": [[markup, markup]], "next_steps": [markup]},
        {"event": "stopped", "why": markup, "message": markup},
        {"event": "result", "file": markup},
    ]
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for part in ("plots", "images"):
        Image.new("L", (8, 8)).save(folder / part / f"{name}.png")
    quoted = '"' + markup.replace('"', '""') + '"'
    (folder / "tables" / f"{name}.csv").write_text(f"{quoted},b\n{quoted},{quoted}\n")
    (folder / "weights" / "head.json").write_text(json.dumps({"classes": [markup]}))
    (folder / "weights" / f"{name}.safetensors").write_bytes(b"")
    return folder


@pytest.mark.parametrize("number", range(len(MARKUP)))
def test_markup_in_every_string_of_a_run_is_text(browser, visit, studio, tmp_path, number):
    folder = hostile_run(studio.runs, number, MARKUP[number])
    panel = visit.tab("Runs")
    panel.get_by_role("button", name="Refresh the list").click()
    for each in panel.get_by_role("button", name=re.compile("^Remove ")).all():
        each.click()
    clear = panel.get_by_role("button", name="Clear")
    if clear.count():
        clear.first.click()
    visit.choose(panel, "Runs", str(folder))
    panel.get_by_role("button", name="Show", exact=True).click()
    expect(panel.locator(".results").first).to_contain_text(MARKUP[number][:9], timeout=LONG)
    assert panel.locator(".results script, .results svg[onload], .results img[src=x]").count() == 0
    panel.get_by_role("button", name="Make a report").click()
    expect(panel.locator(".verdict")).to_contain_text("in one file")
    with visit.page.expect_download() as download:
        panel.get_by_role("button", name="Download the report").click()
    download.value.save_as(tmp_path / "report.html")
    shutil.rmtree(folder)
    report, opened = browser.new_page(), []
    report.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
    report.goto((tmp_path / "report.html").as_uri())
    report.wait_for_timeout(500)
    assert opened == []
    assert report.locator("script, svg[onload], img[src=x]").count() == 0
    assert MARKUP[number][:9] in report.inner_text("body")
    report.close()


FOREIGN = """<!doctype html><body><script>
const told = {};
const page = new URLSearchParams(location.search).get("page");
const ended = [];
for (const mode of ["cors", "no-cors"])
  for (const path of ["", "config", "gradio_api/queue/join", "gradio_api/upload", "gradio_api/file=/etc/passwd"])
    for (const method of ["GET", "POST"])
      ended.push(fetch(page + path, {mode, method, body: method == "POST" ? "{}" : undefined})
        .then((answer) => answer.text()).then((text) => { if (text) told[mode + method + path] = text.slice(0, 80); },
                                              () => {}));
for (const [kind, path] of [["script", "config"], ["script", "assets/x.js"], ["img", "favicon.ico"], ["iframe", ""]])
  ended.push(new Promise((done) => {
    const element = document.createElement(kind);
    element.onload = () => { if (kind != "iframe") told[kind + path] = "loaded"; done(); };
    element.onerror = done;
    element.src = page + path;
    document.body.append(element);
    setTimeout(done, 3000);
  }));
ended.push(new Promise((done) => {
  const form = document.createElement("form"), frame = document.createElement("iframe");
  frame.name = "into"; form.target = "into"; form.method = "post"; form.action = page + "gradio_api/queue/join";
  form.innerHTML = '<input name="data" value="[]">';
  document.body.append(frame, form); form.submit(); setTimeout(done, 2000);
}));
ended.push(new Promise((done) => {
  const socket = new WebSocket(page.replace("http", "ws")); socket.onopen = () => { told.socket = "open"; done(); };
  socket.onerror = done;
}));
ended.push(new Promise((done) => {
  const stream = new EventSource(page + "gradio_api/queue/data?session_hash=x");
  stream.onopen = () => { told.stream = "open"; done(); }; stream.onerror = done;
}));
Promise.all(ended).then(() => { window.told = told; });
</script>"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("with_key", [False, True])
def test_a_page_on_another_port_gets_nothing(browser, studio, tmp_path, host, with_key):
    """Even one that knows the key: fetch, script, image, frame, form, WebSocket, stream of events."""
    (tmp_path / "index.html").write_text(FOREIGN)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        before = sorted(studio.runs.iterdir())
        page = browser.new_page()
        address = studio.address if with_key else f"{studio.origin}/"
        page.goto(f"http://{host}:{server.server_port}/index.html?page={quote(address)}")
        page.wait_for_function("window.told !== undefined", timeout=LONG)
        told = page.evaluate("window.told")
        frames = [frame.url for frame in page.frames if frame.url.startswith(studio.origin)]
        page.close()
        server.shutdown()
    assert told == {}
    assert frames == []
    assert sorted(studio.runs.iterdir()) == before
