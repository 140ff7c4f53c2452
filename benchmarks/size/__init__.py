"""How accurate can so few parameters become in ten minutes?"""
