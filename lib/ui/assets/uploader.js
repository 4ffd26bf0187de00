// Called again whenever Python sends other data; the chosen file and the running upload live on the element meanwhile.
export default function ({ parentElement, data, setTriggerValue }) {
  const find = (name) => parentElement.querySelector(name);
  const input = find('#file'), zone = find('.zone'), going = find('.going'), words = find('.words'), bar = find('progress');
  find('.what').textContent = data.what; input.accept = data.accept;
  const own = parentElement.__upload ??= { file: null, running: '', cleared: data.cleared };
  const stop = find('.stop');
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const say = (text) => { words.textContent = text; };
  const size = (bytes) => bytes < 1048576 ? Math.ceil(bytes / 1024) + ' KiB' : (bytes / 1048576).toFixed(1) + ' MiB';
  if (own.cleared !== data.cleared) { own.cleared = data.cleared; own.file = null; input.value = ''; going.hidden = true; }
  const choose = (file) => {
    if (!file) return;
    own.file = file; going.hidden = stop.hidden = false; bar.value = 0; say('Announcing ' + file.name + ' …');
    setTriggerValue('chosen', { name: file.name, size: file.size, modified: file.lastModified });
  };
  input.onchange = () => choose(input.files[0]);
  zone.ondragover = (event) => { event.preventDefault(); zone.classList.add('over'); };
  zone.ondragleave = () => zone.classList.remove('over');
  zone.ondrop = (event) => { event.preventDefault(); zone.classList.remove('over'); choose(event.dataTransfer.files[0]); };
  stop.onclick = () => { own.running = ''; own.file = null; input.value = ''; going.hidden = true; setTriggerValue('stopped', true); };
  const send = async (goal) => {
    const file = own.file, headers = { 'X-Switchyard-Ticket': goal.ticket };
    let tries = 0, known = -1;
    while (own.running === goal.token) {
      try {
        if (known < 0) {
          const head = await fetch(goal.url, { method: 'HEAD', headers });
          if (head.status === 401) return setTriggerValue('expired', true);
          if (!head.ok) throw new Error('HTTP ' + head.status);
          known = Number(head.headers.get('Upload-Offset'));
        }
        bar.value = file.size ? known / file.size : 1;
        say(file.name + ': ' + size(known) + ' of ' + size(file.size));
        if (known >= file.size) {
          own.running = ''; stop.hidden = true; say(file.name + ' has arrived: ' + size(file.size));
          return setTriggerValue('done', goal.upload_id);
        }
        const slice = file.slice(known, known + goal.slice);
        const put = await fetch(goal.url + '?offset=' + known, { method: 'PUT', headers, body: slice });
        if (put.status === 401) return setTriggerValue('expired', true);
        if (put.status === 409) { known = -1; throw new Error('another offset'); }
        if (put.status === 413 || put.status === 404 || put.status === 507) {
          own.running = ''; return setTriggerValue('failed', { status: put.status, detail: await put.text() });
        }
        if (!put.ok) throw new Error('HTTP ' + put.status);
        known = Number(put.headers.get('Upload-Offset')); tries = 0;
      } catch (error) {
        if (++tries > 8) { own.running = ''; return setTriggerValue('failed', { status: 0, detail: String(error) }); }
        known = -1; say('Connection lost; trying again (' + tries + ' of 8) …'); await wait(Math.min(500 * 2 ** tries, 8000));
      }
    }
  };
  const goal = data.goal;
  if (goal && own.file && own.file.name === goal.name && own.running !== goal.token) { own.running = goal.token; send(goal); }
}
