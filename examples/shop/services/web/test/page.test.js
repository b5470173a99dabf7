'use strict';
const test = require('node:test');
const assert = require('node:assert');
const { page, price, escape } = require('../src/page.js');

test('prices have two digits', () => assert.equal(price(950), '9.50 EUR'));
test('names are escaped', () => assert.equal(escape('<b>'), '&lt;b&gt;'));
test('the page lists every item', () => {
  const text = page([{ name: 'rope', cents: 950 }], 'v1');
  assert.match(text, /rope: 9\.50 EUR/);
  assert.match(text, /<footer>v1<\/footer>/);
});
