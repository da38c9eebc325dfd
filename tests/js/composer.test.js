import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Composer } from '../../src/Delivery.Api/wwwroot/composer.js';
import { FakeElement } from './fakes.js';

let find, sent, stops, composer;

beforeEach(() => {
  find = FakeElement.document('composer', 'input', 'send', 'stop', 'composer-status');
  sent = [];
  stops = 0;
  composer = new Composer({ onSend: text => sent.push(text), onStop: () => stops++ });
});

function write(text) {
  find('input').value = text;
  find('input').dispatchEvent(new Event('input'));
}

function press(key, more = {}) {
  find('input').dispatchEvent(Object.assign(new Event('keydown', { cancelable: true }), { key, ...more }));
}

test('Enter sends what is written, without the space around it, and makes room for the next', () => {
  write('  hello\nthere ');
  press('Enter');
  assert.deepEqual(sent, ['hello\nthere']);
  assert.equal(find('input').value, '');
  press('Enter');
  assert.equal(sent.length, 1, 'nothing is no request');
});

test('Shift and Enter, and Enter that ends the composition of a character, do not send', () => {
  write('hello');
  press('Enter', { shiftKey: true });
  press('Enter', { isComposing: true });
  assert.deepEqual(sent, []);
});

test('while a run is under way the button stops it, unless something is written', () => {
  composer.show(true, false);
  assert.deepEqual([find('stop').hidden, find('send').hidden], [false, true]);
  write('and then?');
  assert.deepEqual([find('stop').hidden, find('send').hidden], [true, false]);
  write('');
  composer.show(false, false);
  assert.deepEqual([find('stop').hidden, find('send').hidden], [true, false]);
});

test('the focus is not lost when one button takes the place of the other', () => {
  composer.show(true, false);
  find('stop').focus();
  composer.show(false, false);
  assert.equal(document.activeElement, find('send'));
});
