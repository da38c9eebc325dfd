import { duration, element, setText } from './dom.js';

/** How each kind of step is shown: `create` once, `update` whenever the step changed. */
const kinds = {
  thinking: { create: createText, update: updateText },
  message: { create: createText, update: updateText },
  tool: { create: createTool, update: updateTool },
  resumed: { create: createResumed, update: () => { } },
  custom: { create: createCustom, update: () => { } },
};

/** Brings a list's items in line with a run's steps. Steps are only ever added or changed in their place. */
export function showSteps(list, steps, shown) {
  steps.forEach((step, index) => {
    if (shown[index] === step) {
      return;
    }

    if (index >= list.children.length) {
      const item = element('li', { className: `step ${step.kind}`, data: { kind: step.kind } });
      item.append(...kinds[step.kind].create(step));
      list.append(item);
    }

    kinds[step.kind].update(list.children[index], step);
  });
}

function createText(step) {
  const label = step.kind === 'thinking' ? 'Thinking' : 'Answer';
  return [
    element('p', { className: step.kind === 'thinking' ? 'label' : 'visually-hidden', textContent: label }),
    element('p', { className: 'text' }),
  ];
}

function updateText(item, step) {
  item.dataset.state = step.state;
  setText(item.querySelector('.text'), step.text);
}

function createTool(step) {
  const summary = element('summary', {},
    element('span', { className: 'mark', ariaHidden: 'true' }),
    element('span', { className: 'tool-name', textContent: step.tool }),
    element('code', { className: 'tool-arguments', textContent: compact(step.arguments) }),
    element('span', { className: 'tool-state' }));
  const details = element('details', {}, summary);
  if (step.arguments !== null) {
    details.append(...block('Arguments', pretty(step.arguments)));
  }

  return [details, element('p', { className: 'tool-outcome', hidden: true })];
}

function updateTool(item, step) {
  item.dataset.state = step.state;
  const took = duration(step.startedAt, step.endedAt);
  const states = { running: 'running…', succeeded: 'done', failed: 'failed', unfinished: 'not finished' };
  setText(item.querySelector('.tool-state'), [states[step.state], took].filter(Boolean).join(' · '));
  const outcome = step.state === 'failed' ? step.error ?? 'No reason was given.' : step.result;
  if (outcome === null || item.querySelector('.outcome')) {
    return;
  }

  const name = step.state === 'failed' ? 'Error' : 'Result';
  const [title, body] = block(name, pretty(outcome));
  body.classList.add('outcome');
  item.querySelector('details').append(title, body);
  const line = item.querySelector('.tool-outcome');
  line.hidden = false;
  line.append(element('span', { className: 'visually-hidden', textContent: `${name}: ` }), compact(outcome));
}

function createResumed(step) {
  return [element('p', { className: 'text', textContent: `Started again by another worker (attempt ${step.attempt})` })];
}

function createCustom(step) {
  return [element('details', {},
    element('summary', {},
      element('span', { className: 'mark', ariaHidden: 'true' }),
      element('span', { className: 'tool-name', textContent: step.type }),
      element('code', { className: 'tool-arguments', textContent: compact(step.data) })),
    ...block('Data', pretty(step.data)))];
}

function block(title, text) {
  return [element('p', { className: 'label', textContent: title }), element('pre', { textContent: text, tabIndex: 0 })];
}

const pretty = value => typeof value === 'string' ? value : JSON.stringify(value, null, 2);

function compact(value) {
  const text = value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
