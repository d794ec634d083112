import { type ServiceToken, serviceToken } from '../token.js';

/** A user and a password that a service logs in with. */
export interface Credential {
  /** Left out: the user in the configuration of the plugin that logs in. */
  readonly user?: string;
  readonly password: string;
  /** The time from which a login with it is refused. Left out: unknown. */
  readonly expiresAt?: Date;
}

/**
 * Provides a credential that changes while the service runs: a token that expires, a password that is rotated.
 *
 * The password is masked in every error, log line and event from the moment it is handed out.
 */
export interface Credentials {
  /**
   * Returns the credential to log in with now. While a valid one is at hand, it does not ask the source, unless the source is
   * known to have changed, such as a file. Callers that wait share one request.
   *
   * @throws KeelsonError `CREDENTIALS_UNAVAILABLE` when there is none that is valid.
   */
  current(): Promise<Credential>;
  /**
   * Returns the credential to try after a login with `refused` failed. Asks the source again when `refused` is the current
   * credential, and returns the same credential when the source has no other. Limits how often the source is asked.
   *
   * @throws KeelsonError `CREDENTIALS_UNAVAILABLE` when there is none that is valid.
   */
  renewed(refused: Credential): Promise<Credential>;
}

/**
 * Only a plugin in the slot `credentials` binds this token. In a service without such a plugin, the password is in the
 * configuration of the plugin that logs in.
 */
export const Credentials: ServiceToken<Credentials> = serviceToken('@keelson/core/Credentials');
