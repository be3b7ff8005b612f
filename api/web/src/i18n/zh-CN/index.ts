// SPDX-License-Identifier: MIT
// Simplified Chinese texts.
import type { Texts } from "../en";
import { admin } from "./admin";
import { codes } from "./codes";
import { edges } from "./edges";
import { form } from "./form";
import { overview } from "./overview";
import { rule } from "./rule";
import { rules } from "./rules";
import { shell } from "./shell";

export const zh: Texts = {
	...shell,
	...overview,
	...rules,
	...form,
	...rule,
	...edges,
	...admin,
	...codes,
};
