// Drops the ticks nobody should see: in a hidden tab, under a dialog, and while the pointer rests on a table that a tick would move.
// The others go through one by one. Of ticks that come at once Streamlit 1.67 runs the first alone ("Multiple different fragmentIds" in
// its console): two timers that had fallen into step would leave one block standing still for as long as the page is open.
const APART = 40; // milliseconds
export default function ({ parentElement }) {
  parentElement.__stillness?.abort();
  const life = (parentElement.__stillness = new AbortController());
  const ticker = (source) => [...document.querySelectorAll('[class*=st-key-ticker_] iframe')].find((each) => each.contentWindow === source);
  const isPointedAt = (frame) => {
    const name = [...frame.closest('[class*=st-key-ticker_]').classList].find((each) => each.startsWith('st-key-ticker_'));
    const block = document.querySelector('.' + CSS.escape(name.replace('ticker_', 'live_')));
    return Boolean(block?.querySelector('tbody:hover, [data-testid=stDataFrame]:hover'));
  };
  const spaced = new WeakSet();
  let free = 0;
  const space = (event) => {
    if (spaced.has(event)) return;
    const now = performance.now(), wait = Math.max(0, free - now);
    free = now + wait + APART;
    if (!wait) return;
    event.stopImmediatePropagation();
    const { data, source, origin } = event;
    setTimeout(() => {
      const again = new MessageEvent('message', { data, source, origin });
      spaced.add(again);
      window.dispatchEvent(again);
    }, wait);
  };
  const hold = (event) => {
    if (event.data?.type !== 'streamlit:setComponentValue') return;
    const frame = ticker(event.source);
    if (!frame) return;
    if (document.hidden || document.querySelector('[role=dialog]') || isPointedAt(frame)) event.stopImmediatePropagation();
    else space(event);
  };
  window.addEventListener('message', hold, { capture: true, signal: life.signal });
  return () => life.abort();
}
