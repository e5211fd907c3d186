/** Statements that lose less, or waste less, in another order (docs/next.md). Only what certainly costs something is said. */
import { type Diagnostic } from '../../diagnostic.ts';
import { betterBefore } from '../../messages/agreement.ts';
import { type Step } from './recipe.ts';
import { statementName } from './vocabulary.ts';

type Kind = (step: Step) => boolean;
type Rule = { readonly first: Kind; readonly second: Kind; readonly why: string };

const widths: ReadonlySet<string> = new Set([
	...['heads', 'queries', 'ffn', 'hidden', 'channels', 'filters', 'groups', 'experts', 'units'],
]);
const prunes =
	(...targets: readonly string[]): Kind =>
	({ verb, target = '' }) =>
		verb === 'prune' && targets.includes(target);
const factors =
	(...targets: readonly string[]): Kind =>
	({ verb, target = '' }) =>
		verb === 'factorize' && targets.includes(target);
const narrows: Kind = ({ verb, target = '' }) => verb === 'prune' && widths.has(target);

/** Constants in the place of norms and softmaxes, and layers that take up others. */
function isFitted(step: Step): boolean {
	const isLossy = step.amount !== undefined || (step.with !== undefined && step.with !== 'rms');
	return (prunes('norms', 'softmax')(step) && isLossy) || (step.verb === 'fuse' && step.target === 'layers');
}

const rules: readonly Rule[] = [
	{
		first: ({ verb }) => verb === 'factorize',
		second: narrows,
		why: 'factors have no units of their own to score, and smaller matrices need smaller ranks',
	},
	{
		first: factors('ffn', 'attention'),
		second: prunes('layers'),
		why: 'factors of layers that go are made for nothing',
	},
	{
		first: factors('embeddings', 'head'),
		second: prunes('vocab'),
		why: 'factors are chosen for all tokens that stand there, also for those that go afterwards',
	},
	{
		first: prunes('weights'),
		second: (step) => narrows(step) || prunes('layers')(step),
		why: 'zeros that are cut out afterwards are wasted',
	},
	{
		first: ({ verb, target }) => verb === 'share' && target !== undefined,
		second: narrows,
		why: 'layers that share their tensors can only lose the same units',
	},
	{
		// Units that are listed are wanted, wherever they are.
		first: (step) => narrows(step) && step.amount?.kind.endsWith('set') !== true,
		second: prunes('layers'),
		why: 'units taken from layers that go were taken for nothing, and so were refits there',
	},
	{
		first: isFitted,
		second: (step) => narrows(step) || prunes('layers')(step),
		why: 'its numbers are fitted to all that stands there, also to what goes afterwards',
	},
	{
		first: ({ verb }) => verb === 'exit',
		second: (step) => narrows(step) || prunes('layers')(step),
		why: 'exits are fitted to the layers as they are',
	},
];

/** One note for each statement that had better stand before an earlier one; imports can bring a hundred thousand. */
export function checkOrder(steps: readonly Step[]): Diagnostic[] {
	const earliest = new Map<Rule, Step>();
	return steps.flatMap((step) => {
		// Targets that one statement weighs against each other have no order.
		const isOther = (one: Step | undefined): boolean =>
			one !== undefined && (one.span.start !== step.span.start || one.span.file !== step.span.file);
		const rule = rules.find((one) => isOther(earliest.get(one)) && one.second(step));
		const earlier = rule && earliest.get(rule);
		for (const one of rules) if (!earliest.has(one) && one.first(step)) earliest.set(one, step);
		if (rule === undefined || earlier === undefined) return [];
		const words = { later: statementName(step), earlier: statementName(earlier), why: rule.why };
		return [betterBefore(words, { span: step.span })];
	});
}
