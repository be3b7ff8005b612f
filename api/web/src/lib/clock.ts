// SPDX-License-Identifier: MIT
// The time of day, once a second, for everything that shows an age.
import { Store } from "./store";

export const now = new Store(Date.now());

setInterval(() => now.set(Date.now()), 1000);
