// Streamlit keeps the parameters of the address when a link leads to the page one is on: the link of a page must close what is open on it.
export default function ({ parentElement }) {
  parentElement.__links?.abort();
  const life = (parentElement.__links = new AbortController());
  const follow = (event) => {
    const link = event.target.closest?.('[data-testid=stPageLink-NavLink]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const href = link.getAttribute('href');
    const there = new URL(/^[^?]/.test(href) ? href : './' + href, location); // the first page has no name of its own
    if (!location.search || there.search || there.pathname !== location.pathname) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    location.assign(there.pathname);
  };
  document.addEventListener('click', follow, { capture: true, signal: life.signal });
  return () => life.abort();
}
