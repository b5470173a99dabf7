'use strict';
const http = require('node:http');
const { page } = require('./page.js');

const version = process.env.VERSION || 'dev';
const api = process.env.API_URL || 'http://api';
const agent = new http.Agent({ keepAlive: true });

function catalogue() {
  return new Promise((resolve, reject) => {
    const request = http.get(`${api}/items`, { agent, timeout: 2000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece) => (text += piece));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`the catalogue answered ${response.statusCode}`));
      });
    });
    request.on('timeout', () => request.destroy(new Error('the catalogue did not answer')));
    request.on('error', reject);
  });
}

const server = http.createServer(async (request, response) => {
  const send = (status, type, text) => {
    response.writeHead(status, { 'content-type': type });
    response.end(text);
  };
  if (request.url === '/healthz') return send(200, 'text/plain', 'ok\n');
  if (request.url === '/version') return send(200, 'text/plain', `${version}\n`);
  if (request.url !== '/') return send(404, 'text/plain', 'no such page\n');
  try {
    send(200, 'text/html', page(await catalogue(), version));
  } catch (error) {
    send(502, 'text/plain', `${error.message}\n`);
  }
});
server.listen(Number(process.env.PORT || 8080), () => console.log('listening'));
process.on('SIGTERM', () => process.exit(0));
