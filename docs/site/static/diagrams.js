// Draws the diagrams of a page, in the reader's choice of light or dark.
document.addEventListener("DOMContentLoaded", () => {
  const diagrams = Array.from(document.querySelectorAll("pre.mermaid"));
  const sources = diagrams.map((diagram) => diagram.textContent);
  const system = matchMedia("(prefers-color-scheme: dark)");

  const isDark = () =>
    document.body.dataset.theme === "dark" ||
    (document.body.dataset.theme !== "light" && system.matches);

  const draw = () => {
    diagrams.forEach((diagram, index) => {
      diagram.removeAttribute("data-processed");
      diagram.textContent = sources[index];
    });
    mermaid.initialize({ startOnLoad: false, theme: isDark() ? "dark" : "default" });
    return mermaid.run({ nodes: diagrams });
  };

  let last = draw();
  const again = () => (last = last.then(draw, draw));
  system.addEventListener("change", again);
  new MutationObserver(again).observe(document.body, { attributeFilter: ["data-theme"] });
});
