/** Tokens that are alike become one, for each input its own: bipartite matching, as ToMe has it (arXiv:2210.09461). */
import { lowerTokens, planTokens, tokenParts, type Leaving } from './leave-tokens.ts';
import { defineTechnique } from '../technique.ts';
import { mergingMetrics } from './token-stage.ts';

export const mergeTokens = defineTechnique<Leaving>({
	words: {
		name: 'merge-tokens',
		verb: 'merge',
		target: 'tokens',
		aliases: ['token'],
		summary:
			'Tokens behind a layer join those most like them: their mean stays, and counts in later attention as often as there are tokens in it.',
		example: 'merge tokens 30% after layer 3',
		amounts: ['remove-share', 'remove-count', 'keep-share', 'keep-count', 'schedule'],
		bare: false,
		clauses: ['after', 'by', 'except'],
		choices: {
			without: [{ word: 'restore', summary: 'an output with a row for each token is refused, not restored' }],
		},
		needs: ['after'],
		metrics: mergingMetrics,
	},
	parts: tokenParts,
	plan: (request) => Promise.resolve(planTokens(request, 'keys')),
	lower: lowerTokens,
});
