import { randomBytes } from 'node:crypto';

/** Prints the address of the service and three commands to paste. The sku is new each time, as a taken one is refused. */
export function welcome(service: string, url: string): string {
  const sku = `mug-${randomBytes(4).toString('hex')}`;
  const post = (path: string, body: object) =>
    `curl -i ${url}${path} -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
  return `
${service} listens on ${url}. Try:

  ${post('/products', { sku, stock: 100, unitPriceCents: 1_990 })}
  ${post('/orders', { lines: [{ sku, quantity: 2 }] })}
  curl -i '${url}/orders?limit=1'
`;
}
