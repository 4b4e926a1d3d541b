// node-oidc-provider with an in-memory adapter: token introspection of opaque client-credentials tokens.
// Prints READY and its URL, then one line TOKENS with a JSON list. The first argument is how many tokens.
import Provider from 'oidc-provider';

const stored = new Map();

class MemoryAdapter {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload) {
    stored.set(`${this.model}:${id}`, payload);
  }

  async find(id) {
    return stored.get(`${this.model}:${id}`);
  }

  async findByUserCode() {}

  async findByUid() {}

  async consume() {}

  async destroy(id) {
    stored.delete(`${this.model}:${id}`);
  }

  async revokeByGrantId() {}
}

const provider = new Provider('http://127.0.0.1', {
  adapter: MemoryAdapter,
  clients: [
    {
      client_id: 'bench',
      client_secret: 'bench-secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  scopes: ['read'],
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: false },
  },
  ttl: { ClientCredentials: 24 * 60 * 60 },
});

const client = await provider.Client.find('bench');
const tokens = [];
for (let made = 0; made < Number(process.argv[2]); made += 1) {
  tokens.push(await new provider.ClientCredentials({ client, scope: 'read' }).save());
}
const server = provider.listen(0, '127.0.0.1', () => {
  console.log(`READY http://127.0.0.1:${server.address().port}/`);
  console.log(`TOKENS ${JSON.stringify(tokens)}`);
});
