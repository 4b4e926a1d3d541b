// json-server with a hundred pages. Prints READY and its URL.
import jsonServer from 'json-server';

const pages = [];
for (let id = 1; id <= 100; id += 1) {
  pages.push({ id, name: `Page ${id}` });
}
const app = jsonServer.create();
app.use(jsonServer.defaults({ logger: false }));
app.use(jsonServer.router({ pages }));
const server = app.listen(0, '127.0.0.1', () => {
  console.log(`READY http://127.0.0.1:${server.address().port}/`);
});
