/** The grammar of transforms: a verb, targets, and items, which are amounts and clauses. It knows no verb and no target. */
import * as t from './tokens.ts';
import { type GrammarOptions, inner, type Rule, TermParser } from './grammar-terms.ts';

export class ClauseParser extends TermParser {
	readonly place: Rule;
	readonly places: Rule;
	readonly where: Rule;
	readonly named: Rule;
	readonly counted: Rule;
	readonly amount: Rule;
	readonly stray: Rule;
	readonly item: Rule;
	readonly targets: Rule;
	readonly transform: Rule;

	constructor(options: GrammarOptions) {
		super(options);
		this.place = this.RULE('place', () => this.#place(), inner);
		this.places = this.RULE('places', () => this.#places(), inner);
		this.where = this.RULE('where', () => this.#where(), inner);
		this.named = this.RULE('named', () => this.#named(), inner);
		this.counted = this.RULE('counted', () => this.#counted(), inner);
		this.amount = this.RULE('amount', () => this.SUBRULE(this.positions), inner);
		this.stray = this.RULE('stray', () => this.#stray(), inner);
		this.item = this.RULE('item', () => this.#item());
		this.targets = this.RULE('targets', () => this.#targets());
		this.transform = this.RULE('transform', () => this.#transform());
	}

	/** The order decides: what begins no other item is a stray. */
	#item(): void {
		this.OR({
			IGNORE_AMBIGUITIES: true,
			DEF: [
				{ ALT: () => this.SUBRULE(this.counted) },
				{ ALT: () => this.SUBRULE(this.places) },
				{ ALT: () => this.SUBRULE(this.where) },
				{ ALT: () => this.SUBRULE(this.named) },
				{ ALT: () => this.CONSUME(t.clause.globally) },
				{ ALT: () => this.SUBRULE(this.amount) },
				{ ALT: () => this.SUBRULE(this.stray) },
			],
		});
	}

	#counted(): void {
		this.OR(
			[t.clause.keep, t.clause.lowest, t.clause.rank, t.clause.energy, t.clause.align, t.clause.min].map(
				(word) => ({
					ALT: () => this.CONSUME(word, { LABEL: 'word' }),
				}),
			),
		);
		this.SUBRULE(this.number);
	}

	#named(): void {
		this.OR([{ ALT: () => this.CONSUME(t.clause.by) }, { ALT: () => this.CONSUME(t.clause.only) }]);
		this.CONSUME(t.Word);
	}

	#places(): void {
		this.OR([{ ALT: () => this.CONSUME(t.clause.in) }, { ALT: () => this.CONSUME(t.clause.except) }]);
		this.SUBRULE(this.place);
		this.MANY(() => {
			this.CONSUME(t.Comma);
			this.SUBRULE1(this.place);
		});
	}

	#place(): void {
		this.OR([
			{ ALT: () => this.CONSUME(t.Text) },
			{
				ALT: () => {
					this.AT_LEAST_ONE(() => this.CONSUME(t.Word));
					this.OPTION(() => this.SUBRULE(this.positions));
				},
			},
		]);
	}

	#where(): void {
		this.CONSUME(t.clause.where);
		this.SUBRULE(this.expression);
	}

	#stray(): void {
		this.CONSUME(t.Anything);
		this.MANY(() => this.CONSUME(t.Loose));
	}

	#targets(): void {
		this.CONSUME(t.Word);
		this.MANY(() => {
			this.CONSUME(t.Comma);
			this.CONSUME1(t.Word);
		});
	}

	#transform(): void {
		this.CONSUME(t.Name);
		this.OPTION(() => this.SUBRULE(this.targets));
		this.MANY(() => this.SUBRULE(this.item));
	}
}
