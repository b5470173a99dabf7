'use strict';
// Pages as text; no sockets here, so that tests need none.

function price(cents) {
  return (cents / 100).toFixed(2) + ' EUR';
}

function escape(text) {
  return String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
}

function page(items, version) {
  const rows = items.map((item) => `<li>${escape(item.name)}: ${price(item.cents)}</li>`).join('\n');
  return `<!doctype html>\n<title>Shop</title>\n<h1>Shop</h1>\n<ul>\n${rows}\n</ul>\n<footer>${escape(version)}</footer>\n`;
}

module.exports = { page, price, escape };
