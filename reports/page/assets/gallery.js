// The wall of pictures. Only blocks near the window hold cards, so that any number can be shown.
const gallery = pictures && (() => {
  const { data, all } = pictures;
  const CHUNK = 48; // cards of a block when pictures are in the order of a score
  const NEAR = "900px 0px";
  const NARROWEST = 108;
  // A card has room for two scores: the first of every metric and reference come first.
  const nameOf = (score) => data.scores[score].name.split(" (")[0];
  const first = data.scores.map((_, score) => score)
    .filter((score) => data.scores.findIndex((_, other) => nameOf(other) === nameOf(score)) === score)
    .slice(0, 2);
  const LINES = 2 + first.length;
  const wall = document.getElementById("wall");
  const filters = document.getElementById("filters");
  const found = document.getElementById("found");
  const ANY = "";
  const state = { subject: ANY, prompt: ANY, seed: ANY, train: ANY, order: "prompt", off: [] };
  let chosen = [];
  const cardsOf = new Map();

  const matches = (picture) =>
    !state.off.includes(picture.method) &&
    ["subject", "prompt", "seed", "train"].every(
      (name) => state[name] === ANY || String(picture[name]) === state[name]);

  const card = (picture, ranked) => {
    const made = element("button", { className: "card", type: "button" }, pictures.image(picture));
    made.dataset.at = picture.at;
    const line = (text, quiet) => made.append(element("span", {
      className: quiet ? "line quiet" : "line", title: shorten(text, 500),
      textContent: shorten(text, 90),
    }));
    line(pictures.name(picture), false);
    const scores = [...first];
    const wanted = Number(state.order.split(" ")[1]);
    if (ranked && !scores.includes(wanted)) scores[scores.length - 1] = wanted;
    line(ranked
      ? `${data.subjects[picture.subject].name}: ${pictures.promptText(picture.prompt, picture.subject)}`
      : pictures.seedText(picture), true);
    for (const score of scores) {
      line(`${pictures.shown(pictures.value(picture, score))} ${nameOf(score)}`, true);
    }
    return made;
  };

  // The place of a method that has no picture there.
  const gap = (method) => element("div", { className: "gap" },
    element("div", { className: "absent", textContent: "no picture" }),
    element("span", { className: "line", title: shorten(data.methods[method].name, 500), textContent: shorten(data.methods[method].name, 90) }));

  // Cards in a row: all methods of one seed or of several, where those fit, so that a column holds
  // one method.
  const across = (width, methods, seeds) => {
    const fit = Math.max(1, Math.floor((width + 8) / (NARROWEST + 8)));
    const roomy = Math.max(Math.floor(width / 190), Math.min(2, fit));
    if (methods > fit) return fit;
    if (seeds === 1) return Math.max(methods, roomy);
    return methods * Math.min(Math.max(Math.round(roomy / methods), 1), Math.floor(fit / methods));
  };
  const width = () => wall.clientWidth - (state.order === "prompt" && innerWidth > 640 ? 152 : 0);
  const guess = (count, heading) => {
    const columns = Number(wall.style.getPropertyValue("--across"));
    const tile = (width() + 8) / columns - 8;
    return (heading ? 33 : 0) + Math.ceil(count / columns) * (tile + 17 * LINES + 19) - 8;
  };

  const fill = (block) => {
    if (block.firstChild) return;
    const { heading, cards, ranked } = cardsOf.get(block);
    if (heading) block.append(element("h4", { title: shorten(heading, 500) }, element("bdi", { textContent: shorten(heading, 200) })));
    const shown = cards.map((picture) => (picture.gap ? gap(picture.method) : card(picture, ranked)));
    block.append(element("div", { className: "cards" }, ...shown));
    block.style.minHeight = "";
  };
  const empty = (block) => {
    // Where the keyboard is, cards stay.
    if (!block.firstChild || block.contains(document.activeElement)) return;
    block.style.minHeight = `${block.offsetHeight}px`;
    block.replaceChildren();
  };
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) (isIntersecting ? fill : empty)(target);
  }, { rootMargin: NEAR });

  const addBlock = (parent, heading, cards, ranked) => {
    const block = element("div", { className: "block" });
    cardsOf.set(block, { heading, cards, ranked });
    block.style.minHeight = `${guess(cards.length, heading)}px`;
    parent.append(block);
    watcher.observe(block);
  };

  // Pictures of one prompt by seed and method; every seed has all methods, so that a column holds one.
  const aligned = (cards, methods) => {
    const rows = new Map();
    for (const picture of cards.sort((a, b) => a.train - b.train || a.seed - b.seed || a.method - b.method)) {
      const key = `${picture.train} ${picture.seed}`;
      rows.set(key, [...(rows.get(key) ?? []), picture]);
    }
    return [...rows.values()].flatMap((row) => methods.flatMap((method) => {
      const own = row.filter((picture) => picture.method === method);
      return own.length ? own : [{ method, gap: true }];
    }));
  };

  const bySubject = () => {
    const methods = [...new Set(chosen.map((picture) => picture.method))].sort((a, b) => a - b);
    const subjects = new Map();
    for (const picture of chosen) {
      const prompts = subjects.get(picture.subject) ?? new Map();
      subjects.set(picture.subject, prompts);
      const cards = prompts.get(picture.prompt) ?? [];
      prompts.set(picture.prompt, cards);
      cards.push(picture);
    }
    for (const [subject, prompts] of subjects) {
      const { name, noun } = data.subjects[subject];
      const blocks = element("div");
      const heading = element("h3", {}, element("bdi", { textContent: shorten(name, 200) }), " ", element("span", { className: "soft", textContent: shorten(noun, 100) }));
      wall.append(element("article", { className: "subject" }, heading,
        element("div", {}, element("aside", { "aria-label": `photos of ${shorten(name)}` }, pictures.photos(subject)), blocks)));
      for (const [prompt, cards] of prompts) {
        addBlock(blocks, pictures.promptText(prompt, subject), aligned(cards, methods), false);
      }
    }
  };

  const byScore = () => {
    const [direction, score] = state.order.split(" ");
    const lower = data.scores[score].better === "lower";
    const sign = (direction === "best") === lower ? 1 : -1;
    chosen = chosen.filter((picture) => pictures.value(picture, score) !== null);
    chosen.sort((a, b) => sign * (pictures.value(a, score) - pictures.value(b, score)) || a.at - b.at);
    for (let start = 0; start < chosen.length; start += CHUNK) {
      addBlock(wall, "", chosen.slice(start, start + CHUNK), true);
    }
  };

  const draw = () => {
    watcher.disconnect();
    cardsOf.clear();
    wall.replaceChildren();
    chosen = all.filter(matches);
    const counted = (of) => (state.order === "prompt" ? Math.max(1, new Set(chosen.map(of)).size) : 1);
    const methods = counted((picture) => picture.method);
    const seeds = counted((picture) => `${picture.train} ${picture.seed}`);
    wall.style.setProperty("--across", across(width(), methods, seeds));
    if (state.order === "prompt") bySubject();
    else byScore();
    found.textContent = chosen.length
      ? `${chosen.length} of ${all.length} pictures` : "No picture matches these filters.";
    kept.set("gallery", state);
  };

  const select = (name, title, options) => {
    const made = element("select", { id: `by-${name}` });
    for (const [value, text] of options) made.append(element("option", { value, textContent: shorten(text), title: shorten(text, 500) }));
    if (![...made.options].some((option) => option.value === state[name])) state[name] = made.options[0].value;
    made.value = state[name];
    made.addEventListener("change", () => { state[name] = made.value; draw(); });
    filters.append(field(title, made));
  };

  const before = kept.get("gallery");
  if (before) {
    for (const name of Object.keys(state)) {
      if (typeof before[name] === typeof state[name]) state[name] = before[name];
    }
    if (!Array.isArray(state.off)) state.off = [];
  }
  const chips = element("div", { className: "chips" });
  data.methods.forEach(({ name }, method) => {
    const chip = element("button", { type: "button", title: shorten(name, 500), textContent: shorten(name, 40) });
    const show = () => chip.setAttribute("aria-pressed", String(!state.off.includes(method)));
    chip.addEventListener("click", () => {
      state.off = state.off.includes(method) ? state.off.filter((other) => other !== method) : [...state.off, method];
      show();
      draw();
    });
    show();
    chips.append(chip);
  });
  filters.append(element("fieldset", {}, element("legend", { textContent: "Methods" }), chips));
  const places = (items, text) => items.map((item, place) => [String(place), text(item)]);
  const values = (name) => [...new Set(all.map((picture) => picture[name]))].sort((a, b) => a - b).map((value) => [String(value), String(value)]);
  select("subject", "Subject", [[ANY, "all subjects"], ...places(data.subjects, ({ name }) => name)]);
  select("prompt", "Prompt", [[ANY, "all prompts"], ...places(data.prompts, ({ text }) => text.replaceAll("{subject}", "[subject]"))]);
  select("seed", "Seed", [[ANY, "all seeds"], ...values("seed")]);
  if (pictures.trains.length > 1) select("train", "Training seed", [[ANY, "all"], ...values("train")]);
  select("order", "Order", [["prompt", "side by side"], ...data.scores.flatMap(({ name, better }, score) =>
    better ? [[`best ${score}`, `best ${name}`], [`worst ${score}`, `worst ${name}`]]
      : [[`best ${score}`, `highest ${name}`], [`worst ${score}`, `lowest ${name}`]])]);
  filters.hidden = false;
  draw();
  let drawnAt = width();
  addEventListener("resize", () => {
    if (Math.abs(width() - drawnAt) < 8) return;
    drawnAt = width();
    draw();
  });
  return { wall, chosen: () => chosen };
})();
