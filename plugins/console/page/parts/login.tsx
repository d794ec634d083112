import { useState } from 'preact/hooks';
import { logIn, Refused } from '../ask.ts';

export function LoginForm({ onLogin }: { onLogin: () => void }) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<string>();
  const submit = async () => {
    try {
      await logIn(token);
      onLogin();
    } catch (error) {
      setProblem(error instanceof Refused ? error.message : 'The service does not answer.');
    }
  };
  return (
    <main class="login">
      <form
        class="card"
        onSubmit={event => {
          event.preventDefault();
          void submit();
        }}
      >
        <h1>Console</h1>
        <label class="field">
          Token
          <input
            type="password"
            autocomplete="current-password"
            required
            value={token}
            aria-describedby="login-help"
            onInput={event => setToken(event.currentTarget.value)}
          />
        </label>
        <p class="fine" id="login-help">
          It is in the configuration of the service: console.token.
        </p>
        {problem !== undefined && (
          <p class="problem bad" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="primary">
          Log in
        </button>
      </form>
    </main>
  );
}
