"""How much sooner does a search reach the accuracy of plain random search when it gives trials up early?"""
