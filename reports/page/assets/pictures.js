// The pictures of the page: {method, subject, prompt, seed, train, file, values}, and their words.
const pictures = (() => {
  const holder = document.getElementById("pictures");
  if (!holder) return null;
  const data = JSON.parse(holder.textContent);
  const all = [];
  data.cells.forEach(([method, subject, train, prompts, seeds, pixelated], cell) => {
    for (const prompt of prompts) {
      for (const seed of seeds) {
        const at = all.length;
        all.push({ at, cell, method, subject, train, prompt, seed, pixelated, file: data.files[at] });
      }
    }
  });
  const trains = [...new Set(all.map((picture) => picture.train))];
  const promptText = (prompt, subject) =>
    data.prompts[prompt].text.replaceAll("{subject}", data.subjects[subject].noun);
  const name = (picture) => data.methods[picture.method].name;
  const seedText = (picture) =>
    `seed ${picture.seed}${trains.length > 1 ? `, training seed ${picture.train}` : ""}`;
  return {
    data,
    all,
    trains,
    promptText,
    name,
    seedText,
    value: (picture, score) => data.values[score][picture.at],
    shown: (value) => (value === null ? "–" : value.toFixed(3)),
    alt: (picture) =>
      shorten(`${name(picture)}: ${promptText(picture.prompt, picture.subject)}, ${seedText(picture)}`, 300),
    // Pictures of one group answer the same question and differ by method alone.
    group: (picture) => `${picture.subject}/${picture.prompt}/${picture.train}/${picture.seed}`,
    // The picture's own file; nothing where the page lies elsewhere than its run.
    original: (picture) => (data.folders.length && picture.file
      ? `${data.folders[picture.cell]}/${encodeURIComponent(`${data.prompts[picture.prompt].id}-${picture.seed}.png`)}`
      : ""),
    image(picture) {
      if (!picture.file) return element("span", { className: "absent", textContent: "missing" });
      const image = element("img", { alt: this.alt(picture), loading: "lazy", decoding: "async" });
      if (picture.pixelated) image.className = "pixelated";
      image.src = picture.file;
      return image;
    },
    photos(subject) {
      const { name: subjectName, seen, unseen } = data.subjects[subject];
      const made = element("div", { className: "photos" });
      for (const [kind, title, files] of [["seen", "Trained on", seen], ["unseen", "Held out", unseen]]) {
        if (!files.length) continue;
        const what = kind === "seen" ? "training photo" : "held-out photo";
        const row = element("div", { className: kind });
        files.forEach((file, place) => row.append(element("img", {
          alt: `${what} ${place + 1} of ${shorten(subjectName)}`, loading: "lazy", src: file,
        })));
        made.append(element("p", { className: "soft", textContent: title }), row);
      }
      return made;
    },
  };
})();
