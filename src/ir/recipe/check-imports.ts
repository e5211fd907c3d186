/** `use` and `apply`, as far as a text alone says whether they mean something. */
import { duplicateClause } from '../../messages/check.ts';
import * as messages from '../../messages/declarations.ts';
import { type ApplyStatement, type UseStatement } from '../../parser/syntax.ts';
import { type Checking, quantityOf } from './checking.ts';

/** Aliases are given once, and every `apply` has its `use`. */
export function checkImports(
	uses: readonly UseStatement[],
	applies: readonly ApplyStatement[],
	checking: Checking,
): void {
	const { problems } = checking;
	const lines = new Map<string, number>();
	for (const { alias, line, source } of uses) {
		problems.push(messages.notImported({ source: source.value }, { span: source.span }));
		if (alias === undefined) continue;
		const { text: found, span } = alias;
		const first = lines.get(found);
		if (first === undefined) lines.set(found, line);
		else problems.push(messages.duplicateAlias({ found, line: first }, { span }));
	}
	for (const statement of applies) {
		const { text: found, span } = statement.name;
		if (!lines.has(found))
			problems.push(messages.unknownAlias({ found, known: [...lines.keys()] }, { span }));
		checkArguments(statement, checking);
	}
}

function checkArguments(statement: ApplyStatement, checking: Checking): void {
	const seen = new Set<string>();
	for (const { name, value, span } of statement.arguments) {
		quantityOf(value, checking);
		if (seen.has(name.text))
			checking.problems.push(duplicateClause({ clause: name.text, hint: undefined }, { span }));
		seen.add(name.text);
	}
}
