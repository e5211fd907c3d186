/** Messages of statements that change nothing but the graph. */
import { defineDiagnostic } from '../diagnostic.ts';

export const stays = defineDiagnostic({
	code: 'plan/stays',
	severity: 'note',
	explain:
		'An exact statement folds a structure only where every output stays as it was. Where that cannot be shown from the graph, the structure stays, with what stands in the way.',
	message: ({ unit, why, labels }: { unit: string; why: string; labels: readonly string[] }) =>
		`${labels.length === 1 ? `${labels[0] ?? ''} stays` : `${labels.length} ${unit} stay`}: ${why}`,
	notes: ({ labels }) => (labels.length === 1 ? [] : labels),
});
export const nothingToDo = defineDiagnostic({
	code: 'plan/nothing-to-fold',
	severity: 'note',
	explain:
		'A bare exact statement does what it can prove from the graph. Here there is nothing of the kind, or what there is must stay.',
	message: ({ unit, of }: { unit: string; of: number }) =>
		of === 0 ? `this model has no ${unit} that could be folded` : `none of the ${of} ${unit} folds exactly`,
});
export const keepAndTopk = defineDiagnostic({
	code: 'plan/keep-and-topk',
	severity: 'error',
	explain:
		'`prune softmax keep 32 with topk` keeps the 32 largest weights of every row of the attentions in scope. Other statements about softmaxes count attentions that change, `prune softmax 2`.',
	message: ({ keeps }: { keeps: boolean }) =>
		keeps
			? '`keep` says how many weights of a row stay, and this statement keeps none apart'
			: '`with topk` does not say how many weights of a row stay',
	hint: ({ keeps }) =>
		keeps
			? 'say `with topk`, or how many attentions change: `prune softmax 2`'
			: 'say `keep 32` or `keep 25%`',
});
