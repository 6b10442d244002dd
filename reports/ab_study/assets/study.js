"use strict";
(() => {
  const { study, question, pairs, photos } = JSON.parse(
    document.getElementById("study").textContent,
  );
  const at = (id) => document.getElementById(id);

  // A whole number below n, every one equally likely.
  function drawBelow(n) {
    const drawn = new Uint32Array(1);
    const limit = Math.floor(2 ** 32 / n) * n;
    do crypto.getRandomValues(drawn);
    while (drawn[0] >= limit);
    return drawn[0] % n;
  }

  function shuffled(items) {
    const order = [...items];
    for (let last = order.length - 1; last > 0; last -= 1) {
      const other = drawBelow(last + 1);
      [order[last], order[other]] = [order[other], order[last]];
    }
    return order;
  }

  // The order of the pairs and the sides of their pictures are drawn for this rater.
  const trials = shuffled(pairs).map((pair) => ({ ...pair, pictures: shuffled(pair.pictures) }));
  const answers = [];
  let rater = "";
  let begun = 0;
  let saved = true;

  function show(image, picture) {
    image.src = picture.src;
    image.className = picture.small ? "small" : "";
  }

  function showTrial() {
    const place = answers.length;
    const over = place === trials.length;
    at("trial").hidden = over;
    at("end").hidden = !over;
    at("progress").value = place;
    keepFile();
    if (over) {
      at("thanks").focus();
      return;
    }
    const trial = trials[place];
    const [left, right] = trial.pictures;
    at("progress-text").textContent = `Pair ${place + 1} of ${trials.length}`;
    at("ask").textContent =
      question === "fidelity"
        ? `Which picture shows the same ${trial.noun} as the photos?`
        : "Which picture fits this description better?";
    at("description").hidden = question !== "alignment";
    at("description").textContent = trial.prompt;
    at("photos").hidden = question !== "fidelity";
    at("photos").replaceChildren(
      ...(trial.photos === null ? [] : photos[trial.photos]).map((photo, number) => {
        const image = document.createElement("img");
        image.alt = `Photo ${number + 1} of the ${trial.noun}`;
        show(image, photo);
        return image;
      }),
    );
    show(at("left-picture"), left);
    show(at("right-picture"), right);
    at("left").dataset.picture = left.id;
    at("right").dataset.picture = right.id;
    at("back").disabled = place === 0;
    at("ask").focus();
    begun = performance.now();
  }

  function answer(choice) {
    const trial = trials[answers.length];
    const [left, right] = trial.pictures;
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    answers.push([study, rater, trial.id, left.id, right.id, choice, seconds]);
    saved = false;
    showTrial();
  }

  function back() {
    if (answers.length) {
      answers.pop();
      showTrial();
    }
  }

  // A spreadsheet must not take a name for a formula.
  function cell(value) {
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function keepFile() {
    const head = ["study", "rater", "pair", "left", "right", "choice", "seconds"];
    const text = [head, ...answers].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
    const link = at("download");
    if (link.href.startsWith("blob:")) URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    const name = rater.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "") || "rater";
    link.download = `answers-${study}-${name}.csv`;
    at("save").hidden = answers.length === 0;
    at("count").textContent = `${answers.length} of ${trials.length}`;
  }

  at("intro").addEventListener("submit", (event) => {
    event.preventDefault();
    rater = at("rater").value.trim().replace(/\s+/g, " ");
    if (!rater) {
      at("rater").focus();
      return;
    }
    at("intro").hidden = true;
    showTrial();
  });
  for (const choice of ["left", "right", "same"]) {
    at(choice).addEventListener("click", () => answer(choice));
  }
  at("back").addEventListener("click", back);
  at("again").addEventListener("click", back);
  at("download").addEventListener("click", () => {
    saved = true;
  });

  const KEYS = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right" };
  Object.assign(KEYS, { ArrowDown: "same", 0: "same" });
  document.addEventListener("keydown", (event) => {
    if (at("trial").hidden || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Backspace") {
      event.preventDefault();
      back();
    } else if (Object.hasOwn(KEYS, event.key)) {
      event.preventDefault();
      answer(KEYS[event.key]);
    }
  });
  window.addEventListener("beforeunload", (event) => {
    if (!saved) event.preventDefault();
  });
})();
