// Imported by load-process.ts, which Node runs as it stands: nothing here may need a build.

export const scenarios = ['get', 'post', 'batch', 'list', 'mixed'] as const;

export type Scenario = (typeof scenarios)[number];

export const scenarioTitles: Readonly<Record<Scenario, string>> = {
  get: 'GET one row',
  post: 'POST one order',
  batch: 'POST a batch of 100',
  list: 'GET a list of 100 rows',
  mixed: 'mixed: 80 GET, 15 POST, 5 lists',
};

/** The products are numbered from 1. */
export const productCount = 1_000;
export const batchSize = 100;

/** Whole HTTP requests. Each is as likely as each other, so a scenario's mix is in the list. */
export function requestsOf(scenario: Scenario): readonly Buffer[] {
  const productIds = Array.from({ length: productCount }, (_, index) => index + 1);
  switch (scenario) {
    case 'get':
      return productIds.map(getProduct);
    case 'post':
      return productIds.map(postOrder);
    case 'batch':
      return productIds.slice(0, 10).map(postBatch);
    case 'list':
      return [listProducts()];
    case 'mixed':
      return productIds.map((id, index) => {
        const place = index % 100;
        return place < 80 ? getProduct(id) : place < 95 ? postOrder(id) : listProducts();
      });
  }
}

const getProduct = (id: number) => request(productShape(id));
const listProducts = () => request(listShape);
const postOrder = (productId: number) => request(orderShape(productId));
const postBatch = (first: number) => request(batchShape(first));

interface Shape {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
}

const listShape: Shape = { method: 'GET', path: `/products?limit=${batchSize}` };
const productShape = (id: number): Shape => ({ method: 'GET', path: `/products/${id}` });
const orderShape = (productId: number): Shape => ({
  method: 'POST',
  path: '/orders',
  body: { productId, quantity: 1 },
});

function batchShape(first: number): Shape {
  const orders = Array.from({ length: batchSize }, (_, index) => ({ productId: first + index, quantity: 1 }));
  return { method: 'POST', path: '/batch', body: { orders } };
}

/** One of each. */
export const requestShapes: readonly Shape[] = [productShape(1), listShape, orderShape(1), batchShape(1)];

function request({ method, path, body }: Shape): Buffer {
  const text = body === undefined ? '' : JSON.stringify(body);
  const bodyHeaders = ['content-type: application/json', `content-length: ${Buffer.byteLength(text)}`];
  const head = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1', ...(body === undefined ? [] : bodyHeaders)];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}`);
}
