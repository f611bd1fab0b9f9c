/* What the decks do beyond reveal.js: a countdown for exercises, and smaller letters where a slide is too full. */

const SMALLEST = 0.55;

/* An equation keeps to the slide's width. */
function narrow(equation) {
  const size = (equation.dataset.size ??= parseFloat(equation.style.fontSize));
  equation.style.fontSize = `${size}px`;
  const room = equation.getBoundingClientRect().width;
  const widest = Math.max(...[...equation.querySelectorAll("math")].map((math) => math.getBoundingClientRect().width));
  if (widest > room) equation.style.fontSize = `${0.98 * size * (room / widest)}px`;
}

/* Letters differ between machines, so a slide that fits on one may be too full on another. */
function fit(slide) {
  const body = slide.querySelector(":scope > .body");
  if (!body || body.offsetHeight === 0) return;
  body.classList.remove("smaller");
  body.querySelectorAll(".equation").forEach(narrow);
  let scale = 1;
  while (scale > SMALLEST && (body.scrollHeight > body.clientHeight + 1 || body.scrollWidth > body.clientWidth + 1)) {
    scale -= 0.03;
    body.style.setProperty("--scale", scale);
    body.classList.add("smaller");
  }
  slide.dataset.scale = scale.toFixed(2);
}

function clock(seconds) {
  const left = Math.max(0, seconds);
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

/* A click starts the countdown, the next one stops it, one on "Time is up" sets it back. */
function toggle(button) {
  if (button.timer) {
    clearInterval(button.timer);
    button.timer = null;
    return;
  }
  if (button.left === 0) {
    button.left = undefined;
    button.textContent = button.words;
    button.classList.remove("running-out");
    return;
  }
  button.words ??= button.textContent;
  const end = Date.now() + 1000 * (button.left ?? 60 * Number(button.dataset.minutes));
  const show = () => {
    button.left = Math.max(0, Math.round((end - Date.now()) / 1000));
    button.textContent = button.left ? clock(button.left) : "Time is up";
    button.classList.toggle("running-out", button.left <= 60);
    if (button.left === 0) toggle(button);
  };
  button.timer = setInterval(show, 250);
  show();
}

Reveal.initialize({
  width: 1280,
  height: 720,
  margin: 0,
  minScale: 0.1,
  maxScale: 4,
  center: false,
  hash: true,
  slideNumber: "h.v",
  transition: "none",
  backgroundTransition: "none",
  pdfSeparateFragments: false,
  pdfMaxPagesPerSlide: 1,
  plugins: [RevealNotes],
}).then(() => {
  document.querySelectorAll(".countdown").forEach((button) => {
    button.addEventListener("click", () => toggle(button));
    // A click leaves the focus on the button, where the space bar would press it again.
    button.addEventListener("focus", () => button.blur());
  });
  Reveal.addKeyBinding({ keyCode: 67, key: "C", description: "Start or stop the countdown" }, () => {
    const button = Reveal.getCurrentSlide().querySelector(".countdown");
    if (button) toggle(button);
  });
  const fitAll = () => document.querySelectorAll("section.frame").forEach(fit);
  document.fonts.ready.then(fitAll);
  Reveal.on("slidechanged", (event) => fit(event.currentSlide));
  Reveal.on("overviewhidden", fitAll);
  Reveal.on("pdf-ready", fitAll);
});
