// SPDX-License-Identifier: MIT
// English texts. Every key is in zh-CN as well; the unit tests compare them.
import { admin } from "./admin";
import { codes } from "./codes";
import { edges } from "./edges";
import { form } from "./form";
import { overview } from "./overview";
import { rule } from "./rule";
import { rules } from "./rules";
import { shell } from "./shell";

export const en = {
	...shell,
	...overview,
	...rules,
	...form,
	...rule,
	...edges,
	...admin,
	...codes,
};

export type Texts = typeof en;
export type Key = keyof Texts;
