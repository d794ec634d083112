import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { guard, release } from './guardian.js';

export type PaymentMode = 'answer' | 'decline' | 'hang' | 'cut after' | 'cut before' | 'fail';

export interface StoredPayment {
  readonly orderId: string;
  readonly amountCents: number;
  readonly currency: string;
  readonly status: 'paid' | 'declined';
  /** How many requests asked for it. */
  readonly requests: number;
}

/** The payment service of `examples/orders` as another process, which answers as the test says. */
export interface PaymentServiceProcess extends AsyncDisposable {
  readonly url: string;
  /** From now on; requests that hang are cut. */
  setMode(mode: PaymentMode): Promise<void>;
  /** What was charged or declined, once for each key. */
  payments(): Promise<readonly StoredPayment[]>;
}

export async function startPaymentService(): Promise<PaymentServiceProcess> {
  const script = fileURLToPath(new URL('./payment-service-process.ts', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const { pid } = child;
  if (pid === undefined) throw new Error('the payment service could not be started');
  guard(pid);
  const ended = once(child, 'close').then(() => release(pid));
  const [line] = await Promise.race([
    once(child.stdout, 'data'),
    ended.then(() => Promise.reject(new Error('the payment service ended'))),
  ]);
  const url = /http:\S+/.exec(String(line))?.[0] ?? '';
  return {
    url,
    setMode: async mode => void (await fetch(`${url}/mode`, { method: 'PUT', body: mode })),
    payments: async () => (await fetch(`${url}/payments`)).json() as Promise<readonly StoredPayment[]>,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
