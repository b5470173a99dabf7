import { setToken } from "../kube";

export function SignIn() {
  return (
    <main class="signin">
      <img src="/icon.svg" alt="" width="48" height="48" />
      <h1>Slipway</h1>
      <p>
        A token is needed. <code>slipway up</code> prints this page's address with one; it is also in the file <code>token</code> of the data directory.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const value = new FormData(event.currentTarget).get("token");
          if (typeof value === "string" && value.trim()) setToken(value.trim());
        }}
      >
        <label>
          Token <input name="token" type="password" autocomplete="current-password" autofocus />
        </label>
        <button>Sign in</button>
      </form>
    </main>
  );
}
