// A toast of Streamlit 1.67 is a dialog whose name points to nothing. What it says is in it, and on the page; its name says what it is.
export default function ({ parentElement }) {
  parentElement.__toasts?.abort();
  const life = (parentElement.__toasts = new AbortController());
  const name = () => {
    for (const toast of document.querySelectorAll('[data-testid=stToast]:not([aria-label])')) {
      toast.removeAttribute('aria-labelledby');
      toast.setAttribute('aria-label', 'What came of it');
    }
  };
  const watch = new MutationObserver(name);
  watch.observe(document.body, { childList: true, subtree: true });
  life.signal.addEventListener('abort', () => watch.disconnect());
  name();
  return () => life.abort();
}
