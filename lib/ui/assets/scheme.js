// Dialogs, popovers and menus hang beside the app, not in it: they too must know whether it is dark, or their own colours stay light.
export default function ({ parentElement }) {
  parentElement.__scheme?.abort();
  const life = (parentElement.__scheme = new AbortController());
  const app = document.querySelector('.stApp');
  const follow = () => (document.documentElement.style.colorScheme = getComputedStyle(app).colorScheme);
  const watch = new MutationObserver(follow);
  watch.observe(app, { attributes: true, attributeFilter: ['class', 'style'] });
  life.signal.addEventListener('abort', () => watch.disconnect());
  follow();
  return () => life.abort();
}
