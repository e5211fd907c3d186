/** `convert` and `expand`: commands that write a recipe another way. */
import { checkText } from '../recipe-text/check-text.ts';
import { type StepReport } from '../document.ts';
import { spell, type Spelling } from '../recipe-text/spellings.ts';
import {
	complain,
	pipelineOptions,
	print,
	recipeText,
	statusOf,
	Usage,
	type Flags,
	type Status,
} from './shared.ts';

/** A recipe in another spelling: `prune`, `yaml` or `json`. */
export async function convert(source: string | undefined, flags: Flags): Promise<Status> {
	const { to } = flags;
	if (to !== 'prune' && to !== 'yaml' && to !== 'json')
		throw new Usage(`--to takes prune, yaml or json${to === undefined ? '' : `, not '${to}'`}`);
	return respelt(source, to, flags);
}

/** A recipe with its parameters in place, a statement for each target; with a model, the units that go are listed. */
export async function expand(source: string | undefined, flags: Flags): Promise<Status> {
	if (flags.model === undefined) return respelt(source, 'prune', flags);
	const recipe = await recipeText(source, flags);
	const { compile } = await import('../compile.ts');
	const options = {
		...pipelineOptions(flags),
		recipe: recipe.text,
		model: flags.model,
		verify: false,
		...(recipe.imports && { imports: recipe.imports }),
	};
	const { steps, diagnostics } = await compile(options);
	complain(diagnostics, recipe);
	if (statusOf(diagnostics) !== 0) return 1;
	print(steps.flatMap(selected).join('\n'));
	return 0;
}

async function respelt(source: string | undefined, to: Spelling, flags: Flags): Promise<Status> {
	const recipe = await recipeText(source, flags);
	const { params } = pipelineOptions(flags);
	const { recipe: checked, diagnostics } = checkText(recipe.text, params, {
		hasData: true,
		imports: recipe.imports,
	});
	complain(diagnostics, recipe);
	if (checked === undefined) return 1;
	print(spell(checked, to));
	return 0;
}

/** A step as statements that list what goes; one that removes no units stays as it is written. */
function selected({ statement, removed }: StepReport): readonly string[] {
	const [verb = '', target = ''] = statement.split(' ');
	if (verb !== 'prune' || removed.length === 0) return [statement];
	if (target === 'layers') {
		const half = / only \w+/.exec(statement)?.[0] ?? '';
		return [`prune layers [${removed.map(({ layer }) => layer).join(', ')}]${half}`];
	}
	const listed = ['heads', 'ffn'].includes(target) && removed.every(({ units }) => units.length > 0);
	if (!listed) return [statement];
	return removed.map(({ layer, units }) => `prune ${target} [${units.join(', ')}] in layers [${layer}]`);
}
