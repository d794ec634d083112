/** Who logs in with what. What is left out comes from the defaults of pg and the variables of libpq (`PGPASSWORD`). */
export interface Login {
  readonly user?: string;
  readonly password?: string;
}

/** Where a login comes from. */
export interface LoginSource {
  /** The one in force now. */
  current(): Promise<Login>;
  /** After `refused` was turned away: the one in force now, perhaps the same. */
  renewed(refused: Login): Promise<Login>;
}

export function isSameLogin(one: Login, other: Login): boolean {
  return one.user === other.user && one.password === other.password;
}

/** As pg reads it from a url of a single host. */
export function loginIn(url: string): Login {
  const [, user = '', password = ''] = /^[^:]+:\/\/(?:([^:/?#]*)(?::([^/?#]*))?@)?/.exec(url) ?? [];
  const parameters = new URLSearchParams(url.split('?')[1]);
  return loginOf({
    user: parameters.get('user') || decodeURIComponent(user),
    password: parameters.get('password') || decodeURIComponent(password),
  });
}

/** Without what is empty. */
export function loginOf({
  user,
  password,
}: {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}): Login {
  return { ...(user && { user }), ...(password && { password }) };
}
