/** Tokens that leave the sequence while the model runs, chosen anew for each input by its own scores. */
import { type MetricWords } from '../../ir/recipe/vocabulary.ts';
import { lowerLast, planLast, type KeptLast } from './keep-last.ts';
import { lowerTokens, planTokens, tokenParts, type Leaving } from './leave-tokens.ts';
import { defineTechnique } from '../technique.ts';
import { scoringMetrics } from './token-stage.ts';

/** What they say of a token; they are computed inside the model, for each input. */
export const tokenMetrics: readonly MetricWords[] = [
	{
		name: 'attention',
		needs: 'nothing',
		summary:
			'Tokens: attention that the token receives, mean over heads and queries (PoWER-BERT, arXiv:2001.08950).',
	},
	{
		name: 'cls',
		needs: 'nothing',
		summary: 'Tokens: attention that the first token pays it, mean over heads (EViT, arXiv:2202.07800).',
	},
	{
		name: 'value',
		needs: 'nothing',
		summary:
			'Tokens: attention received in a head times the norm of its value there, mean over heads (after ATS, arXiv:2111.15667).',
	},
	{ name: 'norm', needs: 'nothing', summary: 'Tokens: Euclidean norm of the hidden state.' },
	{
		name: 'keys',
		needs: 'nothing',
		summary: 'Tokens that merge: cosine of their attention keys, mean over heads (ToMe, arXiv:2210.09461).',
	},
	{ name: 'states', needs: 'nothing', summary: 'Tokens that merge: cosine of their hidden states.' },
];

export const pruneTokens = defineTechnique<Leaving | KeptLast>({
	words: {
		name: 'prune-tokens',
		verb: 'prune',
		target: 'tokens',
		aliases: ['token'],
		summary: 'Positions of the sequence leave behind a layer, for each input those with the lowest scores.',
		example: 'prune tokens keep 50% after layer 3 by attention',
		amounts: ['remove-share', 'remove-count', 'keep-share', 'keep-count', 'schedule', 'keep-word'],
		bare: false,
		clauses: ['after', 'by', 'where', 'except', 'may change'],
		choices: {
			with: [
				{
					word: 'fused',
					summary: 'the lowest that stays becomes the mean of those that left, weighed by their scores',
				},
			],
			keep: [{ word: 'last', summary: 'of an output for the next token, behind the last attention: exact' }],
			without: [{ word: 'restore', summary: 'an output with a row for each token is refused, not restored' }],
		},
		needs: ['after'],
		metrics: scoringMetrics,
	},
	parts: tokenParts,
	plan: (request) =>
		Promise.resolve(
			request.step.amount?.kind === 'keep-word' ? planLast(request) : planTokens(request, 'attention'),
		),
	lower: (task) => {
		const { decision } = task;
		return 'last' in decision ? lowerLast({ ...task, decision }) : lowerTokens({ ...task, decision });
	},
});
