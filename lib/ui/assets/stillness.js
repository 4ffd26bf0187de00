// Drops the ticks nobody should see: in a hidden tab, under a dialog, and while the pointer rests on a table that a tick would move.
export default function ({ parentElement }) {
  parentElement.__stillness?.abort();
  const life = (parentElement.__stillness = new AbortController());
  const ticker = (source) => [...document.querySelectorAll('[class*=st-key-ticker_] iframe')].find((each) => each.contentWindow === source);
  const isPointedAt = (frame) => {
    const name = [...frame.closest('[class*=st-key-ticker_]').classList].find((each) => each.startsWith('st-key-ticker_'));
    const block = document.querySelector('.' + CSS.escape(name.replace('ticker_', 'live_')));
    return Boolean(block?.querySelector('tbody:hover, [data-testid=stDataFrame]:hover'));
  };
  const hold = (event) => {
    if (event.data?.type !== 'streamlit:setComponentValue') return;
    const frame = ticker(event.source);
    if (frame && (document.hidden || document.querySelector('[role=dialog]') || isPointedAt(frame))) event.stopImmediatePropagation();
  };
  window.addEventListener('message', hold, { capture: true, signal: life.signal });
  return () => life.abort();
}
