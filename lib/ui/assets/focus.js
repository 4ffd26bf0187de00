// Puts the focus on the safe answer of a dialog, once: what the person then does with it is theirs.
// Streamlit's dialog focuses its own frame a moment after it opens, hence the few tries.
export default function ({ parentElement, data }) {
  if (parentElement.__placed === data.dialog) return;
  parentElement.__placed = data.dialog;
  // This script may load after the first key: whoever is typing in the dialog already keeps the focus (a space would press Cancel).
  const typing = () => Boolean(document.activeElement?.closest('[role=dialog] :is(input, textarea)'));
  let touched = typing(), tries = 0;
  const stop = () => { touched = true; };
  for (const kind of ['pointerdown', 'keydown']) document.addEventListener(kind, stop, { once: true, capture: true });
  const place = () => {
    const button = document.querySelector('.' + data.target + ' :is(button, input)');
    touched ||= typing();
    if (!touched && button && document.activeElement !== button) {
      button.focus({ preventScroll: true });
      if (data.scroll) button.scrollIntoView({ block: 'center' });
    }
    if (!touched && ++tries < 12) setTimeout(place, 60);
  };
  place();
}
