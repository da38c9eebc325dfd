import { element, setText } from './dom.js';
import { duration, oneLine } from './format.js';
import { block, preview } from './values.js';

/** How each kind of step is shown: `create` once, `update` whenever the step changed. */
const kinds = {
  thinking: { create: createThinking, update: updateThinking },
  message: { create: createMessage, update: updateText },
  tool: { create: createTool, update: updateTool },
  resumed: { create: createResumed, update: updateResumed },
  custom: { create: createCall, update: updateCustom },
};

/** Brings a list's items in line with a run's steps; `shown` are those it was in line with. */
export function showSteps(list, steps, shown) {
  steps.forEach((step, index) => {
    let item = list.children[index];
    if (item && shown[index] === step) {
      return;
    }

    if (item?.dataset.kind !== step.kind) {
      const created = element('li', { className: `step ${step.kind}`, data: { kind: step.kind } });
      created.append(...kinds[step.kind].create());
      item ? item.replaceWith(created) : list.append(created);
      item = created;
    }

    kinds[step.kind].update(item, step);
  });
  while (list.children.length > steps.length) {
    list.lastElementChild.remove();
  }
}

function createMessage() {
  return [element('p', { className: 'visually-hidden', textContent: 'Answer' }), element('p', { className: 'text' })];
}

function updateText(item, step) {
  item.dataset.state = step.streaming ? 'streaming' : 'done';
  setText(item.querySelector('.text'), step.text);
}

function createThinking() {
  const summary = element('summary', {},
    element('span', { className: 'mark', ariaHidden: 'true' }),
    element('span', { className: 'label' }),
    element('span', { className: 'preview' }));
  const details = element('details', { open: true }, summary, element('p', { className: 'text' }));
  // Whoever opened or closed it knows better than we do.
  summary.addEventListener('click', () => { details.dataset.chosen = ''; });
  return [details];
}

function updateThinking(item, step) {
  updateText(item, step);
  const details = item.querySelector('details');
  if (!('chosen' in details.dataset)) {
    details.open = step.streaming;
  }

  setText(item.querySelector('.label'), step.streaming ? 'Thinking' : 'Thought');
  setText(item.querySelector('.preview'), step.streaming ? '' : oneLine(step.text, 160));
}

function createCall() {
  return [element('details', {},
    element('summary', {},
      element('span', { className: 'mark', ariaHidden: 'true' }),
      element('span', { className: 'tool-name' }),
      element('code', { className: 'tool-arguments' }),
      element('span', { className: 'tool-state' })),
    element('div', { className: 'blocks' }))];
}

/** The line of its outcome is there from the beginning: nothing below moves when it comes. */
function createTool() {
  const [details] = createCall();
  details.querySelector('summary').append(element('span', { className: 'tool-outcome' }));
  return [details];
}

const toolStates = { running: 'running', succeeded: 'done', failed: 'failed', interrupted: 'not finished' };

function updateTool(item, step) {
  const state = step.state === 'failed' && step.endedAt === null ? 'interrupted' : step.state;
  const took = duration(step.startedAt, step.endedAt);
  item.dataset.state = state;
  setText(item.querySelector('.tool-name'), step.name);
  setText(item.querySelector('.tool-arguments'), step.arguments === null ? '' : preview(step.arguments));
  setText(item.querySelector('.tool-state'), [toolStates[state], took].filter(Boolean).join(' · '));
  const outcomes = {
    running: '…', interrupted: 'no result',
    succeeded: step.result === null ? 'no result' : preview(step.result), failed: preview(step.error ?? 'No reason was given.'),
  };
  setText(item.querySelector('.tool-outcome'), outcomes[state]);
  item.querySelector('.blocks').replaceChildren(
    ...step.arguments === null ? [] : block('Arguments', step.arguments),
    ...step.result === null ? [] : block('Result', step.result),
    ...state !== 'failed' || step.error === null ? [] : block('Error', step.error));
}

function createResumed() {
  return [element('p', { className: 'text' })];
}

function updateResumed(item, step) {
  setText(item.querySelector('.text'), `Another worker went on from here (attempt ${step.attempt})`);
}

function updateCustom(item, step) {
  setText(item.querySelector('.tool-name'), step.type);
  setText(item.querySelector('.tool-arguments'), preview(step.data));
  item.querySelector('.blocks').replaceChildren(...block('Data', step.data));
}
