// Light or dark: as the system says until the reader chooses. Figures change their ink with it.
(() => {
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : system.matches;
  };
  const figures = [...document.querySelectorAll("img[data-inks]")].map((image) => {
    const [head, content] = image.src.split(",");
    const inks = image.dataset.inks.split(" ");
    let drawing = atob(content);
    for (let at = 0; at < inks.length; at += 2) drawing = drawing.replaceAll(inks[at], inks[at + 1]);
    return { image, light: image.src, dark: `${head},${btoa(drawing)}` };
  });
  const show = (isDark = dark()) => {
    button.textContent = isDark ? "Light" : "Dark";
    for (const figure of figures) {
      const wanted = isDark ? figure.dark : figure.light;
      if (figure.image.src !== wanted) figure.image.src = wanted;
      figure.image.className = "own-ground";
    }
  };
  const chosen = kept.get("theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    kept.set("theme", document.documentElement.dataset.theme);
    show();
  });
  system.addEventListener("change", () => show());
  // Paper is white.
  addEventListener("beforeprint", () => show(false));
  addEventListener("afterprint", () => show());
  button.hidden = false;
  show();
})();
