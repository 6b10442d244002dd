// Two methods' pictures of the same subject, prompt and seeds: side by side, slider or blink.
if (gallery) (() => {
  const { data, all } = pictures;
  const BLINK = 700; // milliseconds
  const MODES = [["pair", "Side by side"], ["slider", "Slider"], ["blink", "Blink"]];
  const viewer = document.getElementById("viewer");
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const groups = new Map();
  for (const picture of all) {
    const key = pictures.group(picture);
    groups.set(key, [...(groups.get(key) ?? []), picture]);
  }
  let order = [];
  let place = 0;
  let left = null;
  let right = null;
  let mode = "pair";
  let timer = 0;
  let opener = -1;

  const title = element("h3", { id: "viewer-title" });
  const about = element("p", { className: "soft" });
  const stage = element("div");
  const steer = element("div", { className: "steer" });
  const originals = element("p", { className: "soft" });
  const photos = element("div");
  const scores = element("div");
  const lefts = element("select", { id: "viewer-left" });
  const rights = element("select", { id: "viewer-right" });
  const modes = MODES.map(([value, text]) => {
    const button = element("button", { type: "button", textContent: text });
    button.dataset.mode = value;
    button.addEventListener("click", () => { mode = value; draw(); });
    return button;
  });
  const step = (by, text) => {
    const button = element("button", { type: "button", textContent: text });
    button.addEventListener("click", () => move(by));
    return button;
  };
  const close = element("button", { type: "button", textContent: "Close" });
  close.addEventListener("click", () => viewer.close());
  viewer.append(title, about,
    element("div", { className: "bar" },
      field("Left", lefts),
      field("Right", rights),
      element("span", { className: "chips", role: "group", "aria-label": "How to compare" }, ...modes),
      element("span", { className: "chips push" }, step(-1, "Previous"), step(1, "Next"), close)),
    element("div", { className: "look" }, element("div", {}, stage, steer, originals), photos), scores);

  const group = () => groups.get(order[place]);
  const of = (method) => group().find((picture) => picture.method === method) ?? null;

  const frame = (method) => {
    const picture = of(method);
    const name = data.methods[method].name;
    const image = picture ? pictures.image(picture) : element("span", { className: "absent", textContent: "none" });
    image.loading = "eager";
    return element("figure", {}, image, element("figcaption", { title: shorten(name, 500) }, element("bdi", { textContent: shorten(name) })));
  };

  const drawStage = () => {
    clearInterval(timer);
    steer.replaceChildren();
    stage.className = mode === "pair" ? "stage pair" : "stage over";
    const [first, second] = [frame(left), frame(right)];
    stage.replaceChildren(first, second);
    const names = [left, right].map((method) => shorten(data.methods[method].name, 40));
    if (mode === "slider") {
      const range = element("input", { type: "range", min: 0, max: 100, value: 50, id: "viewer-slider" });
      const cut = () => { second.style.clipPath = `inset(0 0 0 ${range.value}%)`; };
      range.addEventListener("input", cut);
      cut();
      steer.append(element("label", { className: "soft", htmlFor: range.id, textContent: `${names[0]} up to the line, ${names[1]} beyond it` }), range);
    }
    if (mode === "blink") {
      let showsRight = true;
      const said = element("span", { className: "soft" });
      const button = element("button", { type: "button" });
      const show = () => {
        second.classList.toggle("off", !showsRight);
        said.textContent = `Shown: ${names[showsRight ? 1 : 0]}`;
      };
      const flip = () => { showsRight = !showsRight; show(); };
      const run = (on) => {
        clearInterval(timer);
        timer = on ? setInterval(flip, BLINK) : 0;
        button.textContent = on ? "Stop" : "Blink";
      };
      button.addEventListener("click", () => run(!timer));
      const once = element("button", { type: "button", textContent: "Switch" });
      once.addEventListener("click", () => { run(false); flip(); });
      steer.append(element("span", { className: "chips" }, button, once), said);
      show();
      run(!still);
    }
  };

  const drawOriginals = () => {
    originals.replaceChildren();
    for (const method of new Set([left, right])) {
      const picture = of(method);
      const file = picture && pictures.original(picture);
      if (!file) continue;
      originals.append(originals.firstChild ? ", " : "Full size: ", element("a", {
        href: file, target: "_blank", rel: "noopener", textContent: shorten(data.methods[method].name, 40),
      }));
    }
  };

  const drawScores = () => {
    const [a, b] = [of(left), of(right)];
    const table = element("table", { className: "scores" });
    const head = element("tr", {}, element("th", { scope: "col", textContent: "score" }));
    for (const method of [left, right]) head.append(element("th", { scope: "col", textContent: shorten(data.methods[method].name, 40) }));
    head.append(element("th", { scope: "col", textContent: "right − left" }));
    const body = element("tbody");
    data.scores.forEach(({ name }, score) => {
      const values = [a, b].map((picture) => (picture ? pictures.value(picture, score) : null));
      const difference = values.includes(null) ? "–" : `${values[1] >= values[0] ? "+" : ""}${(values[1] - values[0]).toFixed(3)}`;
      body.append(element("tr", {}, element("th", { scope: "row", textContent: name }),
        ...values.map((value) => element("td", { textContent: pictures.shown(value) })), element("td", { textContent: difference })));
    });
    table.append(element("thead", {}, head), body);
    scores.replaceChildren(data.scores.length ? element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "scores of both pictures" }, table) : "");
  };

  const fillSelect = (select, method, choose) => {
    select.replaceChildren(...data.methods.map(({ name }, number) => element("option", { value: String(number), textContent: shorten(name) })));
    select.value = String(method);
    select.onchange = () => { choose(Number(select.value)); draw(); };
  };

  const draw = () => {
    const [picture] = group();
    title.replaceChildren(element("bdi", { textContent: shorten(pictures.promptText(picture.prompt, picture.subject), 300) }));
    about.replaceChildren(element("bdi", { textContent: shorten(data.subjects[picture.subject].name, 100) }), `, ${pictures.seedText(picture)}; ${place + 1} of ${order.length}`);
    fillSelect(lefts, left, (method) => { left = method; });
    fillSelect(rights, right, (method) => { right = method; });
    modes.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.mode === mode)));
    drawStage();
    drawOriginals();
    drawScores();
    photos.replaceChildren(pictures.photos(picture.subject));
  };

  const move = (by) => {
    place = (place + by + order.length) % order.length;
    draw();
  };

  const open = (picture) => {
    order = [...new Set(gallery.chosen().map(pictures.group))];
    place = order.indexOf(pictures.group(picture));
    left = picture.method;
    const others = group().map(({ method }) => method).filter((method) => method !== left);
    if (right === null || right === left || !others.includes(right)) right = others[0] ?? left;
    opener = picture.at;
    draw();
    viewer.showModal();
  };

  gallery.wall.addEventListener("click", (event) => {
    const card = event.target.closest(".card");
    if (card) open(all[Number(card.dataset.at)]);
  });
  viewer.addEventListener("keydown", (event) => {
    if (["SELECT", "INPUT"].includes(event.target.tagName)) return;
    if (event.key === "ArrowRight") move(1);
    else if (event.key === "ArrowLeft") move(-1);
    else return;
    event.preventDefault();
  });
  viewer.addEventListener("close", () => {
    clearInterval(timer);
    gallery.wall.querySelector(`.card[data-at="${opener}"]`)?.focus();
  });
})();
