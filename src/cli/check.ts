/** `check` and `fmt`: commands that read recipes, and start fast. */
import { readFileSync, writeFileSync } from 'node:fs';
import { checkText } from '../check-text.ts';
import { type Diagnostic } from '../diagnostic.ts';
import { formatRecipe } from '../parser/print.ts';
import {
	complain,
	pipelineOptions,
	print,
	printJson,
	recipeText,
	statusOf,
	Usage,
	type Flags,
	type Status,
} from './shared.ts';

export function check(sources: readonly string[], flags: Flags): Status {
	const texts =
		flags.expression === undefined
			? sources.map((source) => recipeText(source, flags))
			: [recipeText(undefined, flags)];
	if (texts.length === 0) throw new Usage('a recipe is missing: a file, `-`, or -e TEXT');
	const { params } = pipelineOptions(flags);
	const all: Diagnostic[] = [];
	for (const recipe of texts) {
		const { diagnostics, recipe: checked } = checkText(recipe.text, params);
		all.push(...diagnostics);
		if (flags.json === true)
			printJson(
				{
					...{ schema: 'prunec/check@1', ok: checked !== undefined, ...(checked && { recipe: checked }) },
					diagnostics,
				},
				recipe,
			);
		else complain(diagnostics, recipe);
	}
	return statusOf(all);
}

export function format(sources: readonly string[], flags: Flags): Status {
	let status: Status = 0;
	for (const source of sources) {
		const recipe = recipeText(source, flags);
		const { text, diagnostics } = formatRecipe(recipe.text);
		complain(diagnostics, recipe);
		if (statusOf(diagnostics) !== 0) status = 1;
		else if (source === '-') print(text);
		else if (flags.check === true && text !== recipe.text) {
			print(`${source} is not in canonical form`);
			status = 1;
		} else if (text !== readFileSync(source, 'utf8') && flags.check !== true) writeFileSync(source, text);
	}
	return status;
}
