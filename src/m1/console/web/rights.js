/** What a user may do, found out so that nothing is offered that the server would refuse. */

import { Refusal } from "./server.js";

/** Give {query, update, list, admin}; throws Refusal where even that cannot be asked. */
export async function rightsOf(server) {
  const known = await orNull(server.get("user/get", { username: server.user }));
  if (known !== null) {
    const has = (right) => known.rights.includes(right);
    return { query: has("sessionQuery"), update: has("sessionUpdate"), list: true, admin: true };
  }
  // Who is no admin may not ask for rights: a call that does nothing tells whether it would be let.
  const [query, update, list] = await Promise.all([
    isLet(server.post("session/query", { store: "", q: "*", rows: 0 })),
    isLet(server.post("session/update", { store: "", ops: "[]" })),
    isLet(server.get("session/list")),
  ]);
  return { query, update, list, admin: false };
}

async function orNull(asked) {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Refusal && error.status === 403) return null;
    throw error;
  }
}

async function isLet(asked) {
  try {
    await asked;
    return true;
  } catch (error) {
    if (!(error instanceof Refusal) || ![403, 404].includes(error.status)) throw error;
    return error.status === 404;
  }
}
