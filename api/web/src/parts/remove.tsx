// SPDX-License-Identifier: MIT
// Asking before a rule is removed.
import { t } from "../i18n";
import { send } from "../lib/api";
import { refreshFleet } from "../lib/fleet";
import { listenText } from "../lib/rule";
import type { Rule } from "../lib/types";
import { Confirm } from "./dialog";

interface Props {
	rule: Rule;
	onClose: () => void;
	onRemoved?: () => void;
}

export function RemoveRule({ rule, onClose, onRemoved }: Props) {
	const act = async () => {
		await send("DELETE", `/v1/rules/${rule.id}`);
		await refreshFleet();
		onRemoved?.();
	};
	return (
		<Confirm
			title={t("remove.title", { id: rule.id })}
			text={t("remove.text", {
				edge: rule.client_name,
				listen: listenText(rule),
			})}
			confirm={t("remove.confirm")}
			act={act}
			onClose={onClose}
		/>
	);
}
