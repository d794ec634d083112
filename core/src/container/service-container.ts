import { type BindingIdentifier, type BindToFluentSyntax, Container, type ServiceIdentifier } from 'inversify';
import { KeelsonError } from '../contract/keelson-error.js';
import { Logger } from '../contract/slots/logger.js';
import { tokenName } from '../plan/slots.js';
import { maskingLogger } from '../secrets/masking-logger.js';

/**
 * The container of a service. Once the service runs, what plugins have bound stays: a service that is bound again would
 * not reach users of the old one, and one that is unbound would not be stopped in its turn. New services may be
 * bound at any time, and child containers are free.
 */
export class ServiceContainer extends Container {
  #owned: ReadonlySet<ServiceIdentifier> | undefined;

  constructor() {
    super();
    this.onActivation(Logger, (_context, logger) => maskingLogger(logger));
  }

  /** Refuses from now on to bind `tokens` again or to unbind them. */
  seal(tokens: Iterable<ServiceIdentifier>): void {
    this.#owned = new Set(tokens);
  }

  /** The service has stopped: its container is anybody's. */
  unseal(): void {
    this.#owned = undefined;
  }

  override rebind<T>(token: ServiceIdentifier<T>): BindToFluentSyntax<T> {
    this.#refuse('bound again', token);
    return super.rebind(token);
  }

  override async rebindAsync<T>(token: ServiceIdentifier<T>): Promise<BindToFluentSyntax<T>> {
    this.#refuse('bound again', token);
    return super.rebindAsync(token);
  }

  override unbind(identifier: BindingIdentifier | ServiceIdentifier): void {
    this.#refuse('unbound', identifier);
    super.unbind(identifier);
  }

  override async unbindAsync(identifier: BindingIdentifier | ServiceIdentifier): Promise<void> {
    this.#refuse('unbound', identifier);
    await super.unbindAsync(identifier);
  }

  override unbindAll(): void {
    this.#refuse('unbound');
    super.unbindAll();
  }

  override async unbindAllAsync(): Promise<void> {
    this.#refuse('unbound');
    await super.unbindAllAsync();
  }

  /** Refuses: a snapshot would restore services that have been closed since. */
  override restore(): void {
    this.#refuse('restored from a snapshot');
    super.restore();
  }

  #refuse(what: string, identifier?: BindingIdentifier | ServiceIdentifier): void {
    const token = isToken(identifier) ? identifier : undefined;
    if (this.#owned === undefined || (token !== undefined && !this.#owned.has(token))) return;
    throw new KeelsonError({
      code: 'KERNEL_CONTAINER_SEALED',
      message: `${token === undefined ? 'The binding of a plugin' : tokenName(token)} cannot be ${what} while the service runs: code that has the old service would keep it.`,
      hint: 'Choose another plugin in the configuration; in a test, give createTestKernel a double.',
    });
  }
}

function isToken(identifier: unknown): identifier is ServiceIdentifier {
  return ['string', 'symbol', 'function'].includes(typeof identifier);
}
