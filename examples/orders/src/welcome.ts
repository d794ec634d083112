import { randomBytes } from 'node:crypto';

/** Where the service is, and three commands to paste. The sku is a new one each time: a taken one would be refused. */
export function welcome(url: string): string {
  const sku = `mug-${randomBytes(4).toString('hex')}`;
  const post = (path: string, body: object) =>
    `curl -i ${url}${path} -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
  return `
orders listens on ${url}. Try:

  ${post('/products', { sku, stock: 100 })}
  ${post('/orders', { sku, quantity: 2 })}
  curl -i '${url}/orders?limit=1'
`;
}
