// A figure that jumps runs to its new value within a moment, so that the eye sees which one moved and which way.
const DURATION = 450; // milliseconds
const CALM = matchMedia('(prefers-reduced-motion: reduce)');
const FIGURES = '.sy-tile dd:nth-of-type(1), .sy-stage .sy-count';
const number = (text) => (/^\d{1,3}(,\d{3})*$/.test(text) ? Number(text.replaceAll(',', '')) : null);

export default function ({ parentElement }) {
  parentElement.__easing?.abort();
  const life = (parentElement.__easing = new AbortController());
  const known = new Map(); // what each figure shows, by its place and name
  const nameOf = (figure, place) => `${figure.closest('[class*=st-key-live_]')?.className} ${place} ${figure.closest('.sy-tile, .sy-stage').innerText.split('\n')[0]}`;
  const run = (name, node, from, to) => {
    const began = performance.now(), last = node.textContent;
    const step = (now) => {
      const share = Math.min(1, Math.max(0, now - began) / DURATION);
      if (!node.isConnected || life.signal.aborted) return;
      node.textContent = share < 1 ? Math.round(from + (to - from) * (1 - (1 - share) ** 3)).toLocaleString('en-US') + last.match(/\s*$/)[0] : last;
      if (share < 1) requestAnimationFrame(step);
    };
    known.set(name, to);
    requestAnimationFrame(step);
  };
  const look = () => {
    for (const [place, figure] of document.querySelectorAll(FIGURES).entries()) {
      const node = figure.firstChild, to = node?.nodeType === Node.TEXT_NODE ? number(node.textContent.trim()) : null;
      if (figure.__eased || to === null) continue;
      figure.__eased = true; // once for each figure that Streamlit draws: what runs changes it too
      const name = nameOf(figure, place), from = known.get(name);
      if (from === undefined || from === to || CALM.matches || document.hidden) known.set(name, to);
      else run(name, node, from, to);
    }
  };
  const watch = new MutationObserver(look);
  watch.observe(document.querySelector('.stApp'), { childList: true, subtree: true });
  life.signal.addEventListener('abort', () => watch.disconnect());
  look();
  return () => life.abort();
}
