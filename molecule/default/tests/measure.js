// What a person would see of the page, in numbers: put at its end, leaves them in an element of its own.
const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const parse = (color) => color.match(/[\d.]+/g).map(Number);
// Relative luminance and contrast ratio as in WCAG 2.2.
const luminance = (color) => {
  const [red, green, blue] = parse(color).map((value) => channel(value / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const contrast = (one, other) => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};
const transparent = (color) => (parse(color)[3] ?? 1) === 0;
const ground = (element) => {
  const rect = element.ownerSVGElement && element.parentElement.querySelector("rect");
  if (rect) return getComputedStyle(rect).fill;
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (!transparent(color)) return color;
  }
  return getComputedStyle(document.body).backgroundColor;
};
const ink = (element) => getComputedStyle(element)[element.ownerSVGElement ? "fill" : "color"];
const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
const seen = [...document.body.querySelectorAll("*")].filter(
  (element) => hasText(element) && !["SCRIPT", "title"].includes(element.tagName) && element.getBoundingClientRect().width,
);
const picture = document.querySelector("svg.topology");
const inside = (inner, outer) =>
  inner.left >= outer.left && inner.right <= outer.right && inner.top >= outer.top && inner.bottom <= outer.bottom;
const texts = [...picture.querySelectorAll("text")];
const measured = {
  ground: luminance(getComputedStyle(document.body).backgroundColor),
  faint: seen.filter((element) => contrast(ink(element), ground(element)) < 4.5).map((element) => element.textContent),
  seen: seen.length,
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  // Each text of the picture is within its box or label, so none is written over another.
  astray: texts
    .filter((text) => !inside(text.getBoundingClientRect(), text.parentElement.querySelector("rect").getBoundingClientRect()))
    .map((text) => text.textContent),
  titles: texts.filter((text) => text.matches(".title")).map((text) => text.textContent),
  ways: picture.querySelectorAll("path.way").length,
  loaded: performance.getEntriesByType("resource").map((entry) => entry.name),
};
const result = document.createElement("pre");
result.id = "measured";
result.textContent = JSON.stringify(measured);
document.body.append(result);
