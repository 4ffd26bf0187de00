// Listens for the shortcuts that Python names, wherever nobody is typing, and tells Python which one was pressed.
const WITHIN = 1500; // milliseconds between the two letters of a pair
const typing = (event) => event.composedPath().some((each) => each.matches?.('input, textarea, select, [contenteditable=true], [role=combobox]'));

export default function ({ parentElement, data, setTriggerValue }) {
  parentElement.__keyboard?.abort();
  const life = (parentElement.__keyboard = new AbortController());
  const find = (name) => [...document.querySelectorAll(name)];
  let first = '', timer = 0;
  const forget = () => { first = ''; clearTimeout(timer); };
  const press = (event, keys) => { event.preventDefault(); event.stopImmediatePropagation(); setTriggerValue('pressed', keys); };
  const shortcut = (event) => {
    const keys = first ? first + ' ' + event.key : event.key;
    forget();
    // A page is opened by its own link in the menu: the browser then knows where it is, and holds back the ticks of the page it leaves.
    if (keys in data.pages) { event.preventDefault(); event.stopImmediatePropagation(); return find('.st-key-nav a')[data.pages[keys]]?.click(); }
    if (data.shortcuts.includes(keys)) return press(event, keys);
    if (Object.keys(data.pages).some((each) => each.startsWith(keys + ' '))) { first = keys; timer = setTimeout(forget, WITHIN); }
  };
  // In the list of places the arrows walk, and Enter in the box takes the first, once the list answers what was typed.
  const walk = (event) => {
    const box = find('.st-key-goto_text input')[0], places = find('.st-key-goto_places a');
    const at = document.activeElement === box ? -1 : places.indexOf(document.activeElement);
    if (!box || (at < 0 && document.activeElement !== box)) return;
    if (event.key === 'Enter' && at < 0) { event.preventDefault(); event.stopImmediatePropagation(); take(box, 60); return; }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    (at + step < 0 ? box : places[Math.min(at + step, places.length - 1)])?.focus();
  };
  const take = (box, tries) => {
    const answer = find('.sy-answer')[0], place = find('.st-key-goto_places a')[0];
    if (answer?.dataset.to === box.value.trim() && place) return place.click();
    if (tries > 0) setTimeout(() => take(box, tries - 1), 50);
  };
  const hear = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (find('[role=dialog]').length) return walk(event);
    if (!typing(event)) shortcut(event);
  };
  // Capturing, so that a key of ours never also means what it means to Streamlit.
  document.addEventListener('keydown', hear, { capture: true, signal: life.signal });
  document.body.dataset.shortcuts = data.shortcuts.length ? 'on' : 'off';
  life.signal.addEventListener('abort', () => { delete document.body.dataset.shortcuts; });
  return () => life.abort();
}
